"""Decorators of the pages about one workflow: permission, lookup, audit of payload views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from dboshub.workflows.actions.audit import actor_of
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.connection import reading
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.rows import WorkflowRow, row
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Session, WorkflowRow, Rest], HttpResponseBase]


def with_workflow(view: View[Rest]) -> Callable[..., HttpResponseBase]:
    """Call the view with a session and the workflow of the URL, or answer 404."""

    @permission_required(VIEW_WORKFLOW, raise_exception=True)
    @wraps(view)
    def found_or_missing(
        request: HttpRequest, workflow_id: str, *args: Rest.args, **kwargs: Rest.kwargs
    ) -> HttpResponseBase:
        with reading() as session:
            found = find_workflow(session, request, workflow_id)
            if found is None:
                return workflow_missing(request, workflow_id)
            return view(request, session, found, *args, **kwargs)

    return found_or_missing


def with_audited_workflow(view: View[Rest]) -> Callable[..., HttpResponseBase]:
    """Like `with_workflow`, for views that show payloads: a view of payloads is audited."""

    def audited(
        request: HttpRequest,
        session: Session,
        found: WorkflowRow,
        /,
        *args: Rest.args,
        **kwargs: Rest.kwargs,
    ) -> HttpResponseBase:
        response = view(request, session, found, *args, **kwargs)
        if may_see_payloads(request):
            # A shared cache must not serve the payload to another user.
            response["Cache-Control"] = "no-store"
            # A download has its own audit row.
            if not response.has_header("Content-Disposition"):
                record_payload_view(actor_of(request), "workflow", found.pk)
        return response

    return wraps(view)(with_workflow(audited))


def find_workflow(session: Session, request: HttpRequest, workflow_id: str) -> WorkflowRow | None:
    # PostgreSQL cannot compare with a NUL, and no stored text has one.
    if "\x00" in workflow_id:
        return None
    return row(session, workflow_id, viewer=viewer_for(request.user))


def workflow_missing(request: HttpRequest, workflow_id: str) -> HttpResponse:
    return render(
        request, "dboshub/workflows/missing.html", {"workflow_id": workflow_id}, status=404
    )


def may_see_payloads(request: HttpRequest) -> bool:
    return bool(request.user.has_perm(VIEW_PAYLOAD))


def query_int(request: HttpRequest, name: str) -> int | None:
    """A non-negative number of the query string, or None."""
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else None
