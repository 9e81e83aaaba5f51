"""Incidents of queues: whose oldest workflow waits longer and longer, and which have drained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from django.db.models import Max, Min
from django.urls import reverse

from dboshub.incidents.incident import KINDS, Incident, Remedy, rows_query
from dboshub.queues.selectors.overview import facts
from dboshub.queues.why_not.heads import of_heads
from dboshub.workflows.models import QueueSample
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.failures.works import State
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session

# A queue lags if its oldest workflow waits so long, and so much longer than before.
MIN_WAIT_MS, MIN_GROWTH_MS, MIN_GROWTH_UNKNOWN_MS = 2 * MINUTE, 3 * MINUTE, 10 * MINUTE
BEFORE_MS = 10 * MINUTE
# How long a queue that has drained is shown, and from which wait on.
DRAINED_WITHIN_MS = 6 * HOUR
MAX_DRAINED = 50
MAX_EXPLAINED = 10


def queue_incidents(
    session: Session, oldest: Mapping[str, int], viewer: Viewer, now: int
) -> list[Incident]:
    """Queues that lag (`oldest`: since when the oldest waits, epoch ms), and those that did.

    Samples have no application: who may not see all of them sees no former waits.
    """
    if viewer.applications is not None:
        lagging = [*_lagging(oldest, {}, now, MIN_GROWTH_UNKNOWN_MS)]
        return _explained(session, lagging, viewer, now)
    samples = QueueSample.objects.filter(width=MINUTE)
    around = samples.filter(
        at__gte=now - BEFORE_MS - 2 * MINUTE, at__lt=now - BEFORE_MS + 2 * MINUTE
    )
    before = dict(
        around.filter(queue__in=[*oldest]).values_list("queue").annotate(Max("oldest_ms"))
    )
    first = samples.aggregate(first=Min("at"))["first"]
    is_known = first is not None and first < now - BEFORE_MS
    growth = MIN_GROWTH_MS if is_known else MIN_GROWTH_UNKNOWN_MS
    lagging = [*_lagging(oldest, before, now, growth)]
    return [*_explained(session, lagging, viewer, now), *_drained(oldest, now)]


def _lagging(
    oldest: Mapping[str, int], before: Mapping[str, int], now: int, growth: int
) -> Iterator[Incident]:
    for name, at in sorted(oldest.items(), key=lambda each: each[1]):
        age, was = now - at, before.get(name) or 0
        if age >= MIN_WAIT_MS and age - was >= growth:
            said = f"its oldest has waited {duration(age)}"
            said += f", {duration(was)} ten minutes ago" if was else ""
            yield _incident(name, said, State.OPEN, at, now)


def _explained(
    session: Session, lagging: list[Incident], viewer: Viewer, now: int
) -> list[Incident]:
    """The incidents, the first MAX_EXPLAINED with what keeps the next workflow of their queue."""
    names = [each.subject for each in lagging[:MAX_EXPLAINED]]
    if not names:
        return lagging
    reasons = of_heads(session, facts(session, names, viewer, now=now), now)
    causes = {name: one.blockers[0].text for name, one in reasons.items() if one.blockers}
    return [
        replace(each, problem=f"{each.problem}; {causes[each.subject]}")
        if each.subject in causes
        else each
        for each in lagging
    ]


def _drained(oldest: Mapping[str, int], now: int) -> Iterator[Incident]:
    """Queues whose oldest workflow waited long, and on which nothing waits long any more."""
    waited = QueueSample.objects.filter(
        width=MINUTE,
        at__gte=now - DRAINED_WITHIN_MS,
        at__lt=now,
        oldest_ms__gte=MIN_GROWTH_UNKNOWN_MS,
    )
    found = waited.values_list("queue").annotate(Min("at"), Max("at"), longest=Max("oldest_ms"))
    for name, first, last, longest in found.order_by("queue")[:MAX_DRAINED]:
        if now - oldest.get(name, now) < MIN_WAIT_MS:
            said = f"its oldest waited up to {duration(longest)}, and it has drained"
            yield _incident(name, said, State.RESOLVED, first - longest, last)


def _incident(name: str, problem: str, state: State, first: int, last: int) -> Incident:
    page = reverse("dboshub:queues:detail", args=[name])
    return Incident(
        KINDS["queue"],
        name,
        name,
        problem,
        state,
        name,
        query=rows_query(queue=exactly(name), status="ENQUEUED") if state is State.OPEN else "",
        first_at=first,
        last_at=last,
        remedy=Remedy("Why it waits", "layers", page) if state is State.OPEN else None,
    )
