"""Whether a cost that grows with a scale grows no worse than the scale's logarithm."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field

from bench.growth.lines import Line

# Runs of one program on one machine differ by so much.
NOISE = 1.3


@dataclass
class Growth:
    """The runs of one line at each scale."""

    line: Line
    runs: dict[int, list[float]] = field(default_factory=dict)

    def medians(self) -> dict[int, float]:
        return {scale: statistics.median(runs) for scale, runs in self.runs.items()}

    def costs(self) -> dict[int, float]:
        """How many times more one item costs than at the smallest scale."""
        medians = self.medians()
        first = next(iter(medians.values()))
        if self.line.more_is_better:
            return {scale: first / median for scale, median in medians.items()}
        return {scale: median / first for scale, median in medians.items()}

    def is_logarithmic(self) -> bool:
        """Whether no cost is above the logarithm's, within the noise of measuring."""
        first = next(iter(self.runs))
        return all(cost <= NOISE * bound(first, scale) for scale, cost in self.costs().items())


def bound(first: int, scale: int) -> float:
    """How many times more an item may cost at this scale than at the first."""
    return math.log(scale) / math.log(first)
