"""Percentiles of durations that were read one by one; of counted ones see `rollups.histogram`."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil


def percentile(values: Sequence[int], share: float) -> int:
    """The smallest of some sorted values that this share of them does not exceed."""
    return values[max(0, ceil(share * len(values)) - 1)]
