"""Reads rollups for pages: series for charts, and the names that fail."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import connections
from django.db.models import F, Max, Q, QuerySet, Sum
from django.db.models.expressions import CombinedExpression

from dboshub.workflows.models import RolledSpan, Rollup
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.counting import OUTCOMES, Tally
from dboshub.workflows.selectors.scope import Viewer

# Rows that are read for failing names, the newest first.
MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class TimeBucket:
    """A part of a time axis (epoch ms); `covered` of its `expected` minutes were counted."""

    at: int
    until: int
    covered: int
    expected: int
    tally: Tally = field(default_factory=Tally)

    @property
    def is_gap(self) -> bool:
        return self.covered == 0

    @property
    def ended(self) -> int:
        return sum(self.tally.outcomes.values()) - self.tally.outcomes["created"]

    @property
    def failed(self) -> int:
        return self.tally.outcomes["failed"] + self.tally.outcomes["gave_up"]


@dataclass(frozen=True, slots=True)
class Failing:
    """How often a workflow name failed in the last hour (`now`) and in the hour before."""

    name: str
    now: int
    before: int


def counted_until() -> int | None:
    """The end of the newest counted minute (epoch ms); None if there is none."""
    last = RolledSpan.objects.filter(width=MINUTE).aggregate(last=Max("at"))["last"]
    return None if last is None else int(last) + MINUTE


def series(
    since: int, until: int, step: int, viewer: Viewer, *, name: str = "", queue: str = ""
) -> list[TimeBucket]:
    """The buckets of `step` ms between two times; the first one is complete.

    They count all workflows, or those of a name, of a queue, or of both. The database sums them: a
    day of one name may be tens of thousands of rows.
    """
    since = since // step * step
    counted = {"width__in": (MINUTE, HOUR), "at__gte": since, "at__lt": until}
    rows = visible(Rollup.objects.filter(**counted), viewer)
    one = {key: value for key, value in (("name", name), ("queue", queue)) if value}
    rows = rows.filter(scope="one", **one) if one else rows.filter(scope="all")
    tallies = _tallies(rows, step)
    spans = RolledSpan.objects.filter(**counted).annotate(bucket=_bucket(step))
    covered = dict(spans.values("bucket").values_list("bucket", Sum("covered")))
    return [
        TimeBucket(
            at,
            min(at + step, until),
            covered.get(at, 0),
            (min(at + step, until) - at) // MINUTE,
            tallies[at],
        )
        for at in range(since, until, step)
    ]


def _bucket(step: int) -> CombinedExpression:
    return F("at") - F("at") % step


def _tallies(rows: QuerySet[Rollup], step: int) -> dict[int, Tally]:
    """Outcomes and run times by bucket."""
    found: dict[int, Tally] = defaultdict(Tally)
    sums = [Sum(name) for name in OUTCOMES.values()]
    by_bucket = rows.annotate(bucket=_bucket(step)).values("bucket")
    for at, *numbers in by_bucket.values_list("bucket", *sums):
        found[at].outcomes.update(dict(zip(OUTCOMES.values(), numbers, strict=True)))
    connection = connections[rows.db]
    members = "jsonb_each_text" if connection.vendor == "postgresql" else "json_each"
    inner, params = rows.values("at", "run").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT at - at %% %s, runs.key, SUM(CAST(runs.value AS bigint)) FROM ({inner})"
            f" AS rolled CROSS JOIN {members}(run) AS runs GROUP BY 1, 2",
            [step, *params],
        )
        for at, key, number in cursor.fetchall():
            found[at].run[int(key)] += int(number)
    return found


def failing(until: int, viewer: Viewer) -> list[Failing] | None:
    """Names by failures in the hour before `until`; None if over half of two hours is uncounted."""
    spans = RolledSpan.objects.filter(width=MINUTE, at__gte=until - 2 * HOUR, at__lt=until)
    if spans.count() < HOUR // MINUTE:
        return None
    rows = Rollup.objects.filter(
        Q(failed__gt=0) | Q(gave_up__gt=0), width=MINUTE, scope="one", at__gte=until - 2 * HOUR
    )
    newest = visible(rows, viewer).order_by("-at")[:MAX_ROWS]
    found = newest.values_list("name", "at", "failed", "gave_up")
    return ranked(
        ((name, at >= until - HOUR, failed + gave_up) for name, at, failed, gave_up in found)
    )


def ranked(failures: Iterable[tuple[str, bool, int]]) -> list[Failing]:
    """The names that fail now, most failures first, from (name, is in the last hour, number)."""
    now: Counter[str] = Counter()
    before: Counter[str] = Counter()
    for name, is_now, number in failures:
        (now if is_now else before)[name] += number
    return [Failing(name, number, before[name]) for name, number in now.most_common()]


def visible(rows: QuerySet[Rollup], viewer: Viewer) -> QuerySet[Rollup]:
    """The rows of the applications that a viewer may see."""
    if viewer.applications is None:
        return rows
    named = [*viewer.applications, *([""] if viewer.unclaimed else [])]
    return rows.filter(application__in=named)
