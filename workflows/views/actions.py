"""Acting on one workflow: a confirmation that is a page of its own, and a dialog where there is
JavaScript."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from workflows.actions import ActionRefusedError, NotPermittedError, actor_of
from workflows.forms import FORMS, ActionForm
from workflows.selectors import steps
from workflows.selectors.queue_state import queue_names
from workflows.selectors.rows import WorkflowRow
from workflows.storage.sql import Session
from workflows.views.one import about_workflow, number

NOT_PERMITTED, CONFLICT, INVALID = 403, 409, 422


@require_http_methods(["GET", "HEAD", "POST"])
@about_workflow
def act(request: HttpRequest, session: Session, found: WorkflowRow, verb: str) -> HttpResponseBase:
    """Ask for confirmation; when it is posted, act, or say why not and what to do instead."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    queues = queue_names(session)
    if request.method != "POST":
        initial = _initial(request, session, found, verb)
        form = FORMS[verb](found, queues=queues, initial=initial)
        permitted = request.user.has_perm(form.permission)
        return _confirm(request, found, form, status=200 if permitted else NOT_PERMITTED)
    form = FORMS[verb](found, request.POST, queues=queues)
    if not form.is_valid():
        return _confirm(request, found, form, status=INVALID)
    return _perform(request, found, form)


def _perform(request: HttpRequest, found: WorkflowRow, form: ActionForm) -> HttpResponseBase:
    try:
        # Without the permission too: the refusal is decided and audited in one place.
        done = form.perform(actor_of(request))
    except NotPermittedError as refusal:
        return _confirm(request, found, form, status=NOT_PERMITTED, refusal=refusal)
    except ActionRefusedError as refusal:
        return _confirm(request, found, form, status=CONFLICT, refusal=refusal)
    messages.success(request, done.message)
    return redirect(done.url)


def _confirm(
    request: HttpRequest,
    found: WorkflowRow,
    form: ActionForm,
    *,
    status: int,
    refusal: ActionRefusedError | None = None,
) -> HttpResponse:
    context = {
        "section": "workflows",
        "row": found,
        "form": form,
        "refusal": refusal,
        "permitted": request.user.has_perm(form.permission),
    }
    return render(request, "workflows/confirm.html", context, status=status)


def _initial(
    request: HttpRequest, session: Session, found: WorkflowRow, verb: str
) -> dict[str, Any]:
    """A fork begins at the step asked for, or at the one that failed last."""
    if verb != "fork":
        return {"topic": request.GET.get("topic", "")}
    asked = number(request, "step")
    if asked is not None:
        return {"step": asked}
    last = steps.latest(session, found.pk)
    return {"step": last[0].function_id if last and last[0].is_failed else 1}
