"""Confirmation pages of the actions on one workflow. With JavaScript they open in a dialog."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_http_methods

from dboshub.workflows.forms.workflow_forms import FORMS, ActionForm
from dboshub.workflows.selectors.changes import queues_left
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.views.confirm import confirmation_page, submit_confirmed
from dboshub.workflows.views.workflow_required import query_int, with_workflow


@require_http_methods(["GET", "HEAD", "POST"])
@with_workflow
def act(request: HttpRequest, session: Session, found: WorkflowRow, verb: str) -> HttpResponseBase:
    """Show the confirmation, or perform the posted action."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    queues = queue_names(session, viewer_for(request.user))
    ask = partial(_ask, request, found)
    if request.method != "POST":
        initial = _initial(request, session, found, verb)
        return ask(FORMS[verb](found, queues=queues, initial=initial))
    return submit_confirmed(request, FORMS[verb](found, request.POST, queues=queues), ask)


def _ask(request: HttpRequest, found: WorkflowRow, form: ActionForm, **how: Any) -> HttpResponse:
    context = {"section": "workflows", "row": found}
    return confirmation_page(request, "dboshub/workflows/confirm.html", form, context, **how)


def _initial(
    request: HttpRequest, session: Session, found: WorkflowRow, verb: str
) -> dict[str, Any]:
    """The initial values.

    A fork begins at the given step, or at the last step if it failed. A resumed workflow goes back
    to the queue it came from; None if that is not known.
    """
    if verb == "resume":
        return {"queue": queues_left([found]).get(found.pk)}
    if verb != "fork":
        return {"topic": request.GET.get("topic", "")}
    version, asked = request.GET.get("version", ""), query_int(request, "step")
    if asked is None:
        last = steps.latest(session, found.pk)
        asked = last[0].function_id if last and last[0].is_failed else 1
    return {"step": asked, "version": version}
