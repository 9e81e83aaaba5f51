"""The page of what an action changed: the old and the new value, for those who may see payloads."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dboshub.audit.views import entry
from dboshub.workflows.actions.audit import actor_of
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.payloads.comparison import compare
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Node
from dboshub.workflows.permissions import VIEW_AUDIT_EVENT, VIEW_PAYLOAD
from dboshub.workflows.rendering.comparison.difference_html import difference_tree
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.audit_scope import events_in_scope
from dboshub.workflows.selectors.scope import viewer_for


@require_safe
@permission_required((VIEW_AUDIT_EVENT, VIEW_PAYLOAD), raise_exception=True)
def change(request: HttpRequest, event_id: int) -> HttpResponse:
    """What one event changed."""
    seen = AuditEvent.objects.filter(events_in_scope(viewer_for(request.user), request.user.pk))
    event = seen.filter(pk=event_id).first()
    if event is None or not isinstance(event.payload, dict):
        raise Http404("no such change")
    record_payload_view(actor_of(request), event.target_kind, event.target)
    sides = [_side(event.payload.get(name)) for name in ("old", "new")]
    context = {
        "section": "audit",
        "event": event,
        "entry": entry(event),
        "difference": difference_tree(compare(*sides)),
    }
    response = render(request, "dboshub/audit/change.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _side(stored: Any) -> Node | None:
    """The redacted tree of one side; None if there was no value."""
    if stored is None:
        return None
    text, serialization, is_cut = stored
    return readable(text, serialization, is_cut=is_cut)
