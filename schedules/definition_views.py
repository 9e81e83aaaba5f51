"""The page that creates a schedule, with a preview of its next runs."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from dboshub.schedules.forms.definition import NewScheduleForm
from dboshub.schedules.rendering import show
from dboshub.workflows.actions.audit import ActionRefusedError
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.startable import Startable, startable
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.views.confirm import CONFLICT, INVALID, confirmation_page, submit_confirmed

VIEW = "dboshub_schedules.view_schedule"


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW, raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    """Show the form, then a preview of the next runs, then create the schedule."""
    with bounded_reading() as session:
        known = startable(session, viewer_for(request.user), now=database_now(session))
        queues = queue_names(session, viewer_for(request.user))
    ask = partial(_ask, request, known)
    if request.method != "POST":
        form = NewScheduleForm(queues=queues, initial={"workflow": request.GET.get("workflow", "")})
        return ask(form)
    form = NewScheduleForm(request.POST, queues=queues)
    if "preview" in request.POST:
        return _preview(form, ask)
    return submit_confirmed(request, form, ask)


def _preview(form: NewScheduleForm, ask: Any) -> HttpResponse:
    if not form.is_valid():
        return ask(form, status=INVALID)  # type: ignore[no-any-return]
    try:
        shown = show(form.draft(), datetime.now(UTC))
    except ActionRefusedError as refusal:
        return ask(form, status=CONFLICT, refusal=refusal)  # type: ignore[no-any-return]
    return ask(form, shown=shown)  # type: ignore[no-any-return]


def _ask(
    request: HttpRequest, known: list[Startable], form: NewScheduleForm, **how: Any
) -> HttpResponse:
    context = {
        "section": "schedules",
        "names": sorted({each.name for each in known}),
        "applications": sorted({each.application for each in known if each.application}),
        "shown": how.pop("shown", None),
    }
    return confirmation_page(request, "dboshub/schedules/new.html", form, context, **how)
