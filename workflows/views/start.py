"""Pages that start workflows: the startable ones, and a form with typed fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.workflows.actions.audit import ActionRefusedError, actor_of, may_act
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.actions.starting import start
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.forms.arguments import Given
from dboshub.workflows.forms.start_form import StartForm
from dboshub.workflows.payloads.encode import NotPlainError
from dboshub.workflows.permissions import START_WORKFLOW, VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rendering.start_code import as_command, as_curl, as_python
from dboshub.workflows.selectors import startable
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.rows import WorkflowRow, row
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.confirm import INVALID, status_of
from dboshub.workflows.views.posted_fields import posted_fields
from dboshub.workflows.views.workflow_required import may_see_payloads

HIDDEN = "Copying the input of a run needs the permission “view payload”."


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def start_list(request: HttpRequest) -> HttpResponse:
    """The workflows that live executors publish; any other name can be typed."""
    if request.GET.get("name", "").strip():
        return redirect("dboshub:workflows:start", request.GET["name"].strip())
    with bounded_reading() as session:
        found = startable.startable(session, viewer_for(request.user), now=database_now(session))
    context = {"section": "workflows", "found": found, "may_start": _may_start(request)}
    return render(request, "dboshub/workflows/start_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def start_one(request: HttpRequest, name: str) -> HttpResponse:
    """The form of one workflow; `?app=` is its application, `?like=` a run to copy."""
    application = request.GET.get("app") or None
    with bounded_reading() as session:
        what = _what(session, request, name, application)
        if what is not None:
            application = what.application
        queues = queue_names(session, viewer_for(request.user))
        context = _recent(session, request, name)
        like = _like(session, request)
    if request.method != "POST":
        form = StartForm(name, application, what, queues=queues, **like.filled)
        if like.given is not None:
            record_payload_view(actor_of(request), "workflow", request.GET["like"])
        return _show(request, form, context | {"like": like})
    form = StartForm(name, application, what, request.POST, queues=queues)
    if not form.is_valid():
        return _show(request, form, context, status=INVALID)
    if "code" in request.POST:
        start_request = form.start_request()
        fields = posted_fields(request, leave_out=("code",))
        code = (
            ("python", "Python", as_python(start_request)),
            ("command", "Command", as_command(start_request)),
            ("curl", "curl", as_curl(request.build_absolute_uri(), fields)),
        )
        named = {"code": code, "session_cookie": settings.SESSION_COOKIE_NAME}
        return _show(request, form, context | named)
    try:
        workflow_id = start(
            actor_of(request), form.start_request(), reason=form.cleaned_data["reason"]
        )
    except ActionRefusedError as refusal:
        return _show(request, form, context | {"refusal": refusal}, status=status_of(refusal))
    messages.success(request, "Enqueued: it starts when an executor is free.")
    return redirect("dboshub:workflows:detail", workflow_id)


def _show(
    request: HttpRequest, form: StartForm, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    shown = {"section": "workflows", "form": form, "may_start": _may_start(request)}
    response = render(request, "dboshub/workflows/start.html", shown | context, status=status)
    # The form may contain the input of an earlier run.
    response["Cache-Control"] = "no-store"
    return response


def _what(
    session: Session, request: HttpRequest, name: str, application: str | None
) -> startable.Startable | None:
    now, viewer = database_now(session), viewer_for(request.user)
    named = startable.startable(session, viewer, now=now, name=name)
    fitting = [each for each in named if application in (None, each.application)]
    return fitting[0] if fitting else None


def _recent(session: Session, request: HttpRequest, name: str) -> dict[str, Any]:
    if not may_see_payloads(request) or "\x00" in name:
        return {"recent": [], "payload": False}
    return {"recent": startable.recent(session, name, viewer_for(request.user)), "payload": True}


@dataclass(frozen=True, slots=True)
class _Like:
    """The run that a form is filled in from, its arguments, or the reason why there are none."""

    row: WorkflowRow | None = None
    given: Given | None = None
    problem: str = ""
    as_json: bool = False

    @property
    def filled(self) -> dict[str, Any]:
        """How a form is filled in: it goes onto the queue of that run, of the same instance."""
        row = self.row
        if row is None:
            return {}
        initial: dict[str, Any] = {
            "instance": row.config_name,
            "queue": row.queue_name,
            "partition_key": row.queue_partition_key,
            "priority": row.priority or None,
        }
        return {"like": self.given, "as_json": self.as_json, "initial": initial}


def _like(session: Session, request: HttpRequest) -> _Like:
    like = request.GET.get("like", "")
    if not like or "\x00" in like:
        return _Like()
    found = row(session, like, viewer=viewer_for(request.user))
    if found is None:
        return _Like(problem=f"There is no workflow {like}.")
    if not may_see_payloads(request):
        return _Like(found, problem=HIDDEN)
    try:
        given = startable.arguments_of(startable.input_of(session, found))
    except NotPlainError as error:
        reason = f"The input of {like} cannot be copied into the form: {error}."
        return _Like(found, problem=reason)
    return _Like(found, given, as_json=request.GET.get("json") == "1")


def _may_start(request: HttpRequest) -> bool:
    return may_act(request.user, START_WORKFLOW)
