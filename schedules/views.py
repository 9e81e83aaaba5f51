"""The pages of schedules, and the pages that confirm actions on them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.schedules import selectors
from dboshub.schedules.actions import PERMISSION, backfill_ticks
from dboshub.schedules.engine.records import ACTIVE, PAUSED
from dboshub.schedules.forms.backfill import BackfillForm
from dboshub.schedules.forms.base import ScheduleForm
from dboshub.schedules.forms.control import FORMS
from dboshub.schedules.live import page_key, schedule_facts
from dboshub.schedules.rendering import format_time, show, tick_history
from dboshub.schedules.tick_outcomes import tick_outcomes
from dboshub.schedules.why_not import next_run_reasons
from dboshub.workflows.actions.audit import ActionRefusedError, actor_of, may_act, may_remedy
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.views.confirm import CONFLICT, INVALID, confirmation_page, submit_confirmed
from dboshub.workflows.views.query_text import plain_text, query_text

VIEW = "dboshub_schedules.view_schedule"
STATUSES = {"": "All", ACTIVE: "Active", PAUSED: "Paused"}


@require_safe
@permission_required(VIEW, raise_exception=True)
def schedule_list(request: HttpRequest) -> HttpResponse:
    """A page of the schedules, by name; the query string is its state."""
    now, viewer = datetime.now(UTC), viewer_for(request.user)
    status = request.GET.get("status", "")
    after, prefix = (query_text(request, key) for key in ("after", "q"))
    context: dict[str, Any] = {"section": "schedules", "prefix": prefix, "status": status}
    try:
        with bounded_reading() as session:
            page = selectors.page(
                session, viewer, after=after, status=plain_text(status), prefix=prefix
            )
            totals = selectors.totals(session, viewer_for(request.user))
            shown = [show(each, now) for each in page.schedules]
            runs = selectors.runs(session, [each for one in shown for each in one.ids], viewer)
            reasons = next_run_reasons(session, page.schedules, database_now(session))
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/schedules/list.html", context, status=503)
    acts = may_act(request.user, PERMISSION)
    strips = [tick_history(each, runs, now, acts=acts) for each in shown]
    context |= {
        "rows": [
            {
                "shown": one,
                "strip": ticks,
                "missed": sum(tick.is_missed for tick in ticks),
                "reason": reasons.get(one.name),
            }
            for one, ticks in zip(shown, strips, strict=True)
        ],
        "live_page": subscription_for(request, "schedules", page_key(after, prefix, status)),
        "live_digest": digest(schedule_facts(page.schedules, runs, reasons)),
        "after": page.after,
        "is_first": not after,
        "pills": [
            (token, word, sum(totals.values()) if not token else totals.get(token, 0))
            for token, word in STATUSES.items()
        ],
    }
    return render(request, "dboshub/schedules/list.html", context)


@require_safe
@permission_required(VIEW, raise_exception=True)
def schedule_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One schedule: its next runs, its past ticks, and its context."""
    now, viewer = datetime.now(UTC), viewer_for(request.user)
    sees_payloads = request.user.has_perm(VIEW_PAYLOAD)
    with bounded_reading() as session:
        found = selectors.one(session, name, viewer)
        if found is None:
            return _missing(request, name)
        shown = show(found, now)
        runs = selectors.runs(session, shown.ids, viewer)
        at = database_now(session)
        reasons = next_run_reasons(session, [found], at)
        size, given = selectors.context(session, name) if sees_payloads else (0, None)
    acts = may_act(request.user, PERMISSION)
    ticks = tick_history(shown, runs, now, acts=acts)
    context = {
        "section": "schedules",
        "shown": shown,
        "now": at,
        "reason": reasons.get(name),
        "strip": ticks,
        "missed": sum(tick.is_missed for tick in ticks),
        "outcomes": tick_outcomes(shown, runs),
        "acts": acts,
        "rights": ["", *may_remedy(request.user)],
        "sees_payloads": sees_payloads,
        "given": given,
        "size": size,
        "live_page": subscription_for(request, "schedule", name),
        "live_digest": digest(schedule_facts([found], runs, reasons)),
    }
    response = render(request, "dboshub/schedules/detail.html", context)
    if sees_payloads:
        # A browser cache on a shared computer must not show payloads to another person.
        response["Cache-Control"] = "no-store"
    if given is not None:
        record_payload_view(actor_of(request), "schedule", name)
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW, raise_exception=True)
def act(request: HttpRequest, verb: str, name: str) -> HttpResponse:
    """Show the action's form; when it is posted, act or say why not and what to do instead."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    with bounded_reading() as session:
        found = selectors.one(session, name, viewer_for(request.user))
        queues = queue_names(session, viewer_for(request.user))
    if found is None:
        return _missing(request, name)
    if request.method == "POST":
        form = FORMS[verb](found, request.POST, queues=queues)
        return submit_confirmed(request, form, partial(_confirm, request))
    has_span = verb == BackfillForm.verb and "start" in request.GET
    if has_span and may_act(request.user, PERMISSION):
        return _preview(request, BackfillForm(found, request.GET))
    return _confirm(request, FORMS[verb](found, queues=queues))


def _preview(request: HttpRequest, form: BackfillForm) -> HttpResponse:
    """The ticks of a span, each with its run if it exists, for confirmation."""
    if not form.is_valid():
        return _confirm(request, form, status=INVALID)
    found = form.schedule
    try:
        ticks = backfill_ticks(found, form.cleaned_data["start"], form.cleaned_data["end"])
    except ActionRefusedError as refusal:
        return _confirm(request, form, status=CONFLICT, refusal=refusal)
    ids = [selectors.run_ids(found.schedule_name, tick) for tick in ticks]
    with bounded_reading() as session:
        viewer = viewer_for(request.user)
        runs = selectors.runs(session, [each for pair in ids for each in pair], viewer)
    rows = [
        {
            "local": format_time(tick),
            "run": next((runs[each] for each in pair if each in runs), None),
        }
        for tick, pair in zip(ticks, ids, strict=True)
    ]
    form.remember(ticks)
    fresh = sum(row["run"] is None for row in rows)
    return _confirm(request, form, preview={"rows": rows, "fresh": fresh})


def _confirm(
    request: HttpRequest,
    form: ScheduleForm,
    *,
    preview: dict[str, Any] | None = None,
    **how: Any,
) -> HttpResponse:
    context = {
        "section": "schedules",
        "shown": show(form.schedule, datetime.now(UTC)),
        "preview": preview,
        # A span is chosen by GET and previewed before it can be posted.
        "asks_first": isinstance(form, BackfillForm) and preview is None,
    }
    return confirmation_page(request, "dboshub/schedules/confirm.html", form, context, **how)


def _missing(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "dboshub/schedules/missing.html", {"name": name}, status=404)
