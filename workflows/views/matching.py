"""How many workflows match the filter of the list: a part that the page asks for by itself."""

from __future__ import annotations

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.keyset.matching_count import matching
from dboshub.workflows.views.htmx import HtmxHttpRequest, wants_fragment
from dboshub.workflows.views.list_part import ListRequest


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def count_matching(request: HtmxHttpRequest) -> HttpResponse:
    """The count of the filter, exact or "at least"; without htmx, the way to the list with it."""
    asked = ListRequest.of(request)
    if not wants_fragment(request):
        query = asked.criteria.query(count="yes")
        return redirect(f"{reverse('dboshub:workflows:list')}?{query}")
    try:
        with bounded_reading() as session:
            counted = matching(session, asked.criteria, asked.viewer)
    except DatabaseError:
        # The page stays as it is, with the link.
        return HttpResponse(status=503)
    return render(request, "dboshub/workflows/list/_count.html", {"matching": counted})
