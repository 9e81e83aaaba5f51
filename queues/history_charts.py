"""Charts of a queue over a span: its depth, sampled each minute, and ended workflows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import urlencode

from django.urls import reverse

from dboshub.workflows.models import QueueSample
from dboshub.workflows.rendering.charts import (
    HEIGHT,
    Chart,
    Grid,
    Label,
    Link,
    Rect,
    column,
    labels,
    round_up,
    throughput,
)
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.rollups.chart_spans import CHART_SPANS, ChartSpan
from dboshub.workflows.rollups.series import TimeBucket, series
from dboshub.workflows.search.parser import exactly
from dboshub.workflows.selectors.scope import Viewer

SPANS = CHART_SPANS[:-1]  # up to a week
SampleMaximum = tuple[int, int, int]  # waiting, running, age of the oldest


def history(
    queue: str, until: int, viewer: Viewer, span: ChartSpan, *, places: int | None
) -> tuple[list[Chart], list[Label]]:
    """Charts of a span, and the labels of their axis.

    Depth is not sampled by application, so viewers of some applications get no depth charts.
    `places` is the present concurrency limit.
    """
    over = series(until - span.length, until, span.step, viewer, queue=queue, with_runs=False)
    if all(each.is_gap for each in over):
        return [], []
    ended = throughput(over, _link(queue, by="completed"))
    if viewer.applications is not None:
        return [ended], labels(over)
    found = _sample_maxima(queue, over, span.step)
    charts = [_depth(queue, over, found), _age(queue, over, found), ended]
    if places:
        charts.append(_utilisation(queue, over, found, places))
    return charts, labels(over)


def _sample_maxima(queue: str, over: Sequence[TimeBucket], step: int) -> list[SampleMaximum]:
    """The maxima of a queue's samples in each interval."""
    most: dict[int, SampleMaximum] = defaultdict(lambda: (0, 0, 0))
    samples = QueueSample.objects.filter(queue=queue, at__gte=over[0].at, at__lt=over[-1].until)
    for at, *seen in samples.values_list("at", "waiting", "running", "oldest_ms"):
        start = at // step * step
        waiting, running, oldest = (
            max(pair) for pair in zip(most[start], _known(seen), strict=True)
        )
        most[start] = waiting, running, oldest
    return [most[each.at] for each in over]


def _known(seen: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(each or 0 for each in seen)


def _depth(queue: str, over: Sequence[TimeBucket], found: Sequence[SampleMaximum]) -> Chart:
    top = round_up(max(waiting + running for waiting, running, _ in found))
    columns = []
    for place, (each, (waiting, running, _)) in enumerate(zip(over, found, strict=True)):
        low, high = HEIGHT * running / top, HEIGHT * waiting / top
        rects = (
            Rect("s-running", round(HEIGHT - low, 2), round(low, 2)),
            Rect("s-queued", round(HEIGHT - low - high, 2), round(high, 2)),
        )
        said = f"at most {waiting:,} waiting, {running:,} running"
        columns.append(column(place, len(over), each, _link(queue), said, rects))
    most = max(waiting for waiting, _, _ in found)
    return Chart(
        "Depth",
        f"At most {most:,} waited.",
        tuple(columns),
        (Grid(0, f"{top:,}"), Grid(HEIGHT / 2, f"{top / 2:,g}")),
        legend=(("s-running", "running"), ("s-queued", "waiting")),
    )


def _age(queue: str, over: Sequence[TimeBucket], found: Sequence[SampleMaximum]) -> Chart:
    top = max((oldest for _, _, oldest in found), default=0) or 1
    columns = []
    for place, (each, (_, _, oldest)) in enumerate(zip(over, found, strict=True)):
        height = round(HEIGHT * oldest / top, 2)
        rects = (Rect("s-delayed", HEIGHT - height, height),) if height else ()
        said = f"the oldest had waited {duration(oldest)}" if oldest else "nothing waited"
        columns.append(column(place, len(over), each, _link(queue), said, rects))
    return Chart(
        "Age of the oldest",
        f"At most {duration(top)}." if top > 1 else "Nothing waited.",
        tuple(columns),
        (Grid(0, duration(top)), Grid(HEIGHT / 2, duration(top // 2))) if top > 1 else (),
    )


def _utilisation(
    queue: str, over: Sequence[TimeBucket], found: Sequence[SampleMaximum], places: int
) -> Chart:
    """Running workflows relative to the present limit; past limits are not recorded."""
    shares = [min(1.0, running / places) for _, running, _ in found]
    columns = []
    for place, (each, share) in enumerate(zip(over, shares, strict=True)):
        height = round(HEIGHT * share, 2)
        rects = (Rect("s-running", round(HEIGHT - height, 2), height),) if height else ()
        said = f"at most {share:.0%} of the places taken"
        columns.append(column(place, len(over), each, _link(queue), said, rects))
    return Chart(
        "Utilisation",
        f"At most {max(shares):.0%} of the {places:,} places there are now.",
        tuple(columns),
        (Grid(0, "100 %"), Grid(HEIGHT / 2, "50 %")),
    )


def _link(queue: str, by: str = "created") -> Link:
    """A link to the workflows that were created or, `by` "completed", ended in an interval."""
    chosen = {"queue": exactly(queue)} | ({"by": by} if by != "created" else {})
    rows = f"{reverse('dboshub:workflows:list')}?{urlencode(chosen)}"
    return lambda bucket: f"{rows}&since={bucket.at}&until={bucket.until}"
