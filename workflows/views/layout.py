"""The layout of the list that each person keeps: columns, their order, and how dense it is."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import router, transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dboshub.workflows.actions.audit import actor_of, record
from dboshub.workflows.models import ListLayout
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.listing.columns import MAX_PATHS, is_path, moved, write_columns
from dboshub.workflows.views.query_text import plain_text

NO_PATH = (
    "A column of a value is a path such as input.order.id, input[0].sku, output.total or "
    "attr.customer."
)


@require_POST
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def save_layout(request: HttpRequest) -> HttpResponse:
    """Keep the chosen columns, with one moved or added, and lead back to the list."""
    query = QueryDict(plain_text(request.POST.get("query", "")), mutable=True)
    query.pop("columns", None)
    columns = [] if "default" in request.POST else _chosen(request)
    density = request.POST.get("density", "")
    chosen = {
        "columns": write_columns(columns),
        "density": density if density in ListLayout.Density.values else "",
    }
    with transaction.atomic(using=router.db_for_write(ListLayout)):
        mine: Any = request.user.pk
        ListLayout.objects.update_or_create(user_id=mine, defaults=chosen)
        record(actor_of(request), "save", "layout", "workflows")
    return redirect(f"{reverse('dboshub:workflows:list')}?{query.urlencode()}".rstrip("?"))


def _chosen(request: HttpRequest) -> list[str]:
    """The checked columns in their order, the new path, and what a button moves."""
    keys = request.POST.getlist("column")
    path = plain_text(request.POST.get("path", "").strip())
    if path and (not is_path(path) or sum(map(is_path, keys)) >= MAX_PATHS):
        messages.error(request, NO_PATH if not is_path(path) else f"At most {MAX_PATHS} of these.")
    elif path:
        keys.append(path)
    step, _, key = request.POST.get("move", "").partition(" ")
    return moved(keys, key, {"-": -1, "+": 1}.get(step, 0)) if key else keys
