"""The pages of queues, and the pages that confirm actions on them."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.queues.forms.control import FORMS, QueueAction
from dboshub.queues.forms.limits import LimitsForm
from dboshub.queues.history_charts import SPANS, history
from dboshub.queues.live import page_key, queue_facts
from dboshub.queues.rendering import show
from dboshub.queues.selectors import overview
from dboshub.queues.selectors.partitions import partitions
from dboshub.queues.selectors.queue_head import next_workflows
from dboshub.queues.why_not.heads import head_reason, of_heads
from dboshub.workflows.actions.audit import may_act, may_remedy
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.forms.workflow_forms import FORMS as ACTIONS
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rendering.usual_times import with_usual_times
from dboshub.workflows.rollups.chart_spans import chosen_span
from dboshub.workflows.rollups.series import counted_until, end_of_charts
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.views.confirm import confirmation_page, submit_confirmed
from dboshub.workflows.views.query_text import query_text

VIEW = "dboshub_queues.view_queue"


@require_safe
@permission_required(VIEW, raise_exception=True)
def queue_list(request: HttpRequest) -> HttpResponse:
    """A page of the queues, by name; the query string is its state."""
    viewer = viewer_for(request.user)
    after, prefix = (query_text(request, key) for key in ("after", "q"))
    context: dict[str, Any] = {"section": "queues", "prefix": prefix, "is_first": not after}
    try:
        with bounded_reading() as session:
            now = database_now(session)
            page = overview.page(session, viewer, now=now, after=after, prefix=prefix)
            reasons = of_heads(session, page.queues, now)
    except DatabaseError as error:
        context["failure"] = str(error).split("\n", 1)[0]
        return render(request, "dboshub/queues/list.html", context, status=503)
    context |= {
        "now": now,
        "after": page.after,
        "rows": [show(each, reasons.get(each.name)) for each in page.queues],
        "sees_workflows": request.user.has_perm(VIEW_WORKFLOW),
        "live_page": subscription_for(request, "queues", page_key(after, prefix)),
        "live_digest": digest(queue_facts(page.queues, reasons)),
    }
    return render(request, "dboshub/queues/list.html", context)


@require_safe
@permission_required(VIEW, raise_exception=True)
def queue_detail(request: HttpRequest, name: str) -> HttpResponse:
    """One queue: its state, its next workflows, its limits."""
    viewer = viewer_for(request.user)
    sees_workflows = request.user.has_perm(VIEW_WORKFLOW)
    with bounded_reading() as session:
        now = database_now(session)
        found = overview.one(session, name, viewer, now=now)
        if found is None:
            return _missing(request, name)
        ahead = next_workflows(session, name, viewer) if sees_workflows else []
        reason = head_reason(session, found, now, in_full=sees_workflows)
        if reason is not None and found.head is not None:
            reason = with_usual_times(session, reason, found.head)
        held, is_cut = partitions(
            session, name, viewer, after=query_text(request, "partitions_after")
        )
    places = found.settings.concurrency if found.settings else None
    span = chosen_span(request.GET.get("span", ""), lambda: found.created_at, now, SPANS)
    until = end_of_charts(counted_until(), now)
    charts, labels = history(name, until, viewer, span, places=places)
    may = [verb for verb, form in FORMS.items() if may_act(request.user, form.permission)]
    may_workflows = [
        each for each, form in ACTIONS.items() if may_act(request.user, form.permission)
    ]
    context = {
        "section": "queues",
        "now": now,
        "shown": show(found, reason),
        "line": ahead,
        "charts": charts,
        "labels": labels,
        "span": span,
        "spans": [(f"?span={each.key}", each.words, each is span) for each in SPANS],
        "partitions": held,
        "more_partitions": held[-1].key if is_cut else "",
        "may": may,
        "may_workflows": " ".join(may_workflows),
        "rights": ["", *may_workflows, *may_remedy(request.user)],
        "form": LimitsForm(name) if found.settings and LimitsForm.verb in may else None,
        "sees_workflows": sees_workflows,
        "live_page": subscription_for(request, "queue", name),
        "live_digest": digest(queue_facts([found], {name: reason} if reason else {})),
        "live_beats": subscription_for(request, "beats"),
    }
    return render(request, "dboshub/queues/detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW, raise_exception=True)
def act(request: HttpRequest, verb: str, name: str) -> HttpResponse:
    """Show the action's form; when it is posted, act or say why not and what to do instead."""
    if verb not in FORMS:
        raise Http404(f"no action {verb}")
    with bounded_reading() as session:
        viewer = viewer_for(request.user)
        found = overview.one(session, name, viewer, now=database_now(session))
    if found is None or found.settings is None:
        return _missing(request, name)
    ask = partial(_ask, request, found)
    if request.method != "POST":
        return ask(FORMS[verb](name))
    return submit_confirmed(request, FORMS[verb](name, request.POST), ask)


def _ask(
    request: HttpRequest, found: overview.QueueFacts, form: QueueAction | LimitsForm, **how: Any
) -> HttpResponse:
    context = {"section": "queues", "shown": show(found)}
    return confirmation_page(request, "dboshub/queues/confirm.html", form, context, **how)


def _missing(request: HttpRequest, name: str) -> HttpResponse:
    context = {"section": "queues", "name": name}
    return render(request, "dboshub/queues/missing.html", context, status=404)
