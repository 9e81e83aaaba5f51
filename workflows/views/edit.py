"""Fork a run with changes: a form, what it changes and what runs again, then the fork."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dboshub.workflows.actions.audit import (
    ActionRefusedError,
    actor_of,
    may_act,
    refuse_if_read_only,
    require_permission,
)
from dboshub.workflows.actions.edited_forks import (
    Change,
    NewInput,
    NewResult,
    fork_edited,
    format_for,
)
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.forms.edit_form import EditForm
from dboshub.workflows.payloads.comparison import Difference, compare
from dboshub.workflows.payloads.encode import NotPlainError, encode
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.permissions import EDIT_RUN
from dboshub.workflows.rendering.comparison.difference_html import difference_tree
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors import startable
from dboshub.workflows.selectors.editable import (
    Editable,
    course,
    editable_input,
    editable_result,
)
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.confirm import INVALID, NOT_PERMITTED, status_of
from dboshub.workflows.views.posted_fields import posted_fields
from dboshub.workflows.views.workflow_required import (
    may_see_payloads,
    query_int,
    with_workflow,
)

MAX_STEP = 2**31 - 2
HIDDEN = "Changing a run shows its values: it needs the permission “view payload”."


@require_http_methods(["GET", "HEAD", "POST"])
@with_workflow
def edit(request: HttpRequest, session: Session, found: WorkflowRow) -> HttpResponse:
    """Change the input, or with `?step=` the result of that step.

    The first POST shows what it changes; one with `confirm` forks.
    """
    if not may_see_payloads(request):
        raise PermissionDenied(HIDDEN)
    editable = _editable(request, session, found)
    form = _form(request, session, found, editable)
    context: dict[str, Any] = {"editable": editable, "form": form}
    if request.method == "POST" and (refusal := _refused(request, found)):
        return _show(request, found, context | {"refusal": refusal}, status=status_of(refusal))
    if request.method != "POST" or editable.problem:
        permitted = may_act(request.user, EDIT_RUN)
        return _show(request, found, context, status=200 if permitted else NOT_PERMITTED)
    if not form.is_valid():
        return _show(request, found, context, status=INVALID)
    if "again" in request.POST:
        return _show(request, found, context)
    change = form.change()
    try:
        difference = difference_of(form, change)
    except NotPlainError as error:
        form.add_error(None, f"The new value cannot be written: {error}.")
        return _show(request, found, context, status=INVALID)
    if difference.kind == "same":
        form.add_error(None, "Nothing is changed yet: without a change, use Fork.")
        return _show(request, found, context, status=INVALID)
    if "confirm" in request.POST:
        try:
            return _fork(request, found, form, change)
        except ActionRefusedError as refusal:
            context["refusal"] = refusal
            return _show(request, found, context, status=status_of(refusal))
    context |= {
        "difference": difference_tree(difference),
        "course": course(session, found, change.start_step),
        "start_step": change.start_step,
        "posted": posted_fields(request, leave_out=("preview",)),
        "rewritten": format_for(_format(found, editable)) != _format(found, editable),
    }
    return _show(request, found, context)


def _refused(request: HttpRequest, found: WorkflowRow) -> ActionRefusedError | None:
    """Why nothing may be changed here, or not by this user; it is recorded."""
    actor = actor_of(request)
    try:
        refuse_if_read_only(actor, "edit", "workflow", found.pk)
        require_permission(actor, EDIT_RUN, "edit", "workflow", found.pk)
    except ActionRefusedError as refusal:
        return refusal
    return None


def difference_of(form: EditForm, change: Change) -> Difference:
    """What a change changes, by the names of the parameters. Raises NotPlainError."""
    editable, arguments = form.editable, form.arguments
    if isinstance(change, NewResult):
        old = None if editable.is_missing else editable.value
        new = change.value
    else:
        old = arguments.named(editable.args, editable.kwargs)
        new = arguments.named(change.args, change.kwargs)
    sides = [
        None if side is None else readable(encode(side, "portable_json"), "portable_json")
        for side in (old, new)
    ]
    return compare(*sides)


def _editable(request: HttpRequest, session: Session, found: WorkflowRow) -> Editable:
    if "step" not in request.GET:
        return editable_input(session, found)
    number = query_int(request, "step")
    if number is None or number > MAX_STEP:
        raise Http404("no such step")
    editable = editable_result(session, found, number)
    if editable is None:
        raise Http404(f"no step {number} is recorded")
    return editable


def _form(
    request: HttpRequest, session: Session, found: WorkflowRow, editable: Editable
) -> EditForm:
    return EditForm(
        editable,
        _parameters(request, session, found),
        request.POST if request.method == "POST" else None,
        queues=queue_names(session, viewer_for(request.user)),
        as_json=request.GET.get("json") == "1",
        initial={"queue": found.queue_name},
    )


def _parameters(request: HttpRequest, session: Session, found: WorkflowRow) -> Any:
    """The signature that a live executor publishes, of the run's own application."""
    if found.name is None:
        return {}
    now, viewer = database_now(session), viewer_for(request.user)
    named = startable.startable(session, viewer, now=now, name=found.name)
    fitting = [each for each in named if each.application == found.application_name]
    return fitting[0].parameters if fitting else {}


def _fork(request: HttpRequest, found: WorkflowRow, form: EditForm, change: Change) -> HttpResponse:
    data = form.cleaned_data
    new_id = fork_edited(
        actor_of(request),
        found.pk,
        change,
        reason=data["reason"],
        queue=data["queue"] or None,
        version=data["version"] or None,
    )
    what = (
        "other input" if isinstance(change, NewInput) else f"another result of step {change.step}"
    )
    messages.success(request, f"This is the fork of {found.pk}, with {what}.")
    return redirect("dboshub:workflows:detail", new_id)


def _format(found: WorkflowRow, editable: Editable) -> str | None:
    return found.serialization if editable.step is None else editable.step.serialization


def _show(
    request: HttpRequest, found: WorkflowRow, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    permitted = may_act(request.user, EDIT_RUN)
    shown = {
        "section": "workflows",
        "row": found,
        "permitted": permitted,
        "as_json": request.GET.get("json") == "1",
    }
    response = render(request, "dboshub/workflows/edit.html", shown | context, status=status)
    # A shared cache must not serve the payload to another user.
    response["Cache-Control"] = "no-store"
    if permitted and not context["editable"].problem:
        record_payload_view(actor_of(request), "workflow", found.pk)
    return response
