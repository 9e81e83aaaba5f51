"""The map of many steps: durations, failures, and the part that the waterfall shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.workflows.rendering import time_format
from dboshub.workflows.rendering.waterfall.scale import percent
from dboshub.workflows.selectors.detail.step_search import Bucket
from dboshub.workflows.selectors.detail.steps import StepPage

HEIGHT = 36
# Steps without duration are visible, too.
MIN_HEIGHT = 3


@dataclass(frozen=True, slots=True)
class MapColumn:
    """A bar for some consecutive steps, with a link to the waterfall that begins there."""

    bucket: Bucket
    took: str
    x: str
    width: str
    y: int
    height: int
    is_shown: bool


@dataclass(frozen=True, slots=True)
class StepMap:
    columns: tuple[MapColumn, ...]
    height: int
    is_whole: bool

    @property
    def first(self) -> int:
        return self.columns[0].bucket.first if self.columns else 0

    @property
    def last(self) -> int:
        return self.columns[-1].bucket.last if self.columns else 0

    @classmethod
    def of(cls, buckets: Sequence[Bucket], page: StepPage) -> StepMap:
        """Draw the square root of durations: one long step must not flatten all others."""
        longest = max((bucket.took_ms for bucket in buckets), default=0) or 1
        width = 100 / max(len(buckets), 1)
        columns = []
        for at, bucket in enumerate(buckets):
            height = MIN_HEIGHT + round((HEIGHT - MIN_HEIGHT) * (bucket.took_ms / longest) ** 0.5)
            is_shown = bucket.first <= page.last and bucket.last >= page.first
            x, wide = percent(at * width), percent(width * 0.85)
            took = time_format.duration(bucket.took_ms)
            columns.append(MapColumn(bucket, took, x, wide, HEIGHT - height, height, is_shown))
        return cls(tuple(columns), HEIGHT, not page.is_capped)
