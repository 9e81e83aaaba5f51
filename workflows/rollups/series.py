"""Reads rollups for pages: series for charts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from django.db import connections
from django.db.models import F, Max, Min, QuerySet, Sum
from django.db.models.expressions import CombinedExpression

from dboshub.workflows.models import RolledSpan, Rollup
from dboshub.workflows.models.rollups import HOUR, MINUTE
from dboshub.workflows.rollups.counting import OUTCOMES, Tally
from dboshub.workflows.selectors.scope import Viewer

# If the counts lag more than this, charts show a gap at the end.
MAX_LAG_MS = 10 * MINUTE


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


def counted_until() -> int | None:
    """The end of the newest counted minute (epoch ms); None if there is none."""
    last = RolledSpan.objects.filter(width=MINUTE).aggregate(last=Max("at"))["last"]
    return None if last is None else int(last) + MINUTE


def end_of_charts(counted: int | None, now: int) -> int:
    """Where charts end: with what is `counted`, or, if that lags, with the last whole minute."""
    if counted is not None and now - counted < MAX_LAG_MS:
        return counted
    return now // MINUTE * MINUTE


def counted_from() -> int | None:
    """The start of the oldest minute that is kept (epoch ms); None if there is none."""
    first: int | None = RolledSpan.objects.filter(width=MINUTE).aggregate(first=Min("at"))["first"]
    return first


def series(
    since: int,
    until: int,
    step: int,
    viewer: Viewer,
    *,
    name: str = "",
    queue: str = "",
    with_runs: bool = True,
) -> list[TimeBucket]:
    """The buckets of `step` ms between two times; the first one is complete.

    They count all workflows, or those of a name or of a queue, and contain run times if
    `with_runs`. The database sums them.
    """
    since = since // step * step
    counted = {"width__in": (MINUTE, HOUR), "at__gte": since, "at__lt": until}
    rows = visible(Rollup.objects.filter(**counted), viewer)
    if queue:
        # Rows of an earlier release count a name on a queue.
        rows = rows.filter(scope__in=("one", "queue"), queue=queue)
    else:
        rows = rows.filter(scope="one", name=name) if name else rows.filter(scope="all")
    tallies = _tallies(rows, step, with_runs)
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


COUNTED = "SELECT at - at %% %s AS bucket, NULL, {sums} FROM ({rows}) AS found GROUP BY 1"
# The rows are read once for both.
COUNTED_WITH_RUNS = """
    WITH rolled AS (SELECT at - at %% %s AS bucket, run, {names} FROM ({rows}) AS found)
    SELECT bucket, NULL, {sums} FROM rolled GROUP BY bucket
    UNION ALL
    SELECT bucket, runs.key, SUM(CAST(runs.value AS bigint)){nothing}
    FROM rolled CROSS JOIN {members}(run) AS runs
    GROUP BY 1, 2
"""


def _tallies(rows: QuerySet[Rollup], step: int, with_runs: bool) -> dict[int, Tally]:
    """Outcomes, and run times if they are wanted, by bucket."""
    found: dict[int, Tally] = defaultdict(Tally)
    connection, names = connections[rows.db], [*OUTCOMES.values()]
    inner, params = rows.values("at", "run", *names).query.sql_with_params()
    text = (COUNTED_WITH_RUNS if with_runs else COUNTED).format(
        rows=inner,
        names=", ".join(names),
        sums=", ".join(f"SUM({name})" for name in names),
        nothing=", NULL" * (len(names) - 1),
        members="jsonb_each_text" if connection.vendor == "postgresql" else "json_each",
    )
    with connection.cursor() as cursor:
        cursor.execute(text, [step, *params])
        for at, key, *numbers in cursor.fetchall():
            if key is None:
                found[at].outcomes.update(dict(zip(names, map(int, numbers), strict=True)))
            else:
                found[at].run[int(key)] += int(numbers[0])
    return found


def visible(rows: QuerySet[Rollup], viewer: Viewer) -> QuerySet[Rollup]:
    """The rows of the applications that a viewer may see."""
    if viewer.applications is None:
        return rows
    named = [*viewer.applications, *([""] if viewer.unclaimed else [])]
    return rows.filter(application__in=named)
