"""Whether a cost that grows with a scale grows no worse than the scale's logarithm."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from itertools import combinations

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
        """Whether no cost is above what the logarithm allows, measured from any smaller scale.

        Up to the noise of measuring.
        """
        costs = self.costs()
        return all(
            costs[large] <= costs[small] * bound(small, large) * NOISE
            for small, large in combinations(costs, 2)
        )


def bound(small: int, large: int) -> float:
    """How many times more an item may cost at the larger scale than at the smaller one."""
    return math.log(large) / math.log(small)
