"""How a queue stood over the last day, as it was sampled each minute: nobody can count it later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from urllib.parse import urlencode

from django.urls import reverse

from workflows.language import exactly
from workflows.models import QueueSample, RolledSpan
from workflows.models.rollups import HOUR, MINUTE
from workflows.moments import duration
from workflows.rendering.charts import HEIGHT, Chart, Grid, Link, Rect, column, nice
from workflows.rollups.series import Stretch
from workflows.selectors.scope import Viewer

SPAN, STEP = 24 * HOUR, 15 * MINUTE


def stretches(until: int) -> list[Stretch]:
    """The last day in quarters of an hour; those without a counted minute are gaps."""
    since = (until - SPAN) // STEP * STEP
    spans = RolledSpan.objects.filter(width__in=(MINUTE, HOUR), at__gte=since, at__lt=until)
    known = {at // STEP * STEP for at in spans.values_list("at", flat=True)}
    return [
        Stretch(at, min(at + STEP, until), int(at in known), 1) for at in range(since, until, STEP)
    ]


def history(queue: str, over: Sequence[Stretch], viewer: Viewer) -> list[Chart]:
    """What waited and for how long; nothing for those who may not see all of the queue."""
    if viewer.applications is not None or not over or all(each.is_gap for each in over):
        return []
    most: dict[int, tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    samples = QueueSample.objects.filter(queue=queue, at__gte=over[0].at, at__lt=over[-1].until)
    for at, *seen in samples.values_list("at", "waiting", "running", "oldest_ms"):
        start = at // STEP * STEP
        waiting, running, oldest = (
            max(pair) for pair in zip(most[start], _known(seen), strict=True)
        )
        most[start] = waiting, running, oldest
    found = [most[each.at] for each in over]
    return [_depth(queue, over, found), _age(queue, over, found)]


def _known(seen: Sequence[int | None]) -> tuple[int, ...]:
    return tuple(each or 0 for each in seen)


def _depth(queue: str, over: Sequence[Stretch], found: Sequence[tuple[int, int, int]]) -> Chart:
    top = nice(max(waiting + running for waiting, running, _ in found))
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


def _age(queue: str, over: Sequence[Stretch], found: Sequence[tuple[int, int, int]]) -> Chart:
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


def _link(queue: str) -> Link:
    """To what was made for the queue in a stretch."""
    rows = f"{reverse('workflows:list')}?{urlencode({'queue': exactly(queue)})}"
    return lambda stretch: f"{rows}&since={stretch.at}&until={stretch.until}"
