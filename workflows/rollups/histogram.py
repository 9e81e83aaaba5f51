"""Histograms of durations with four buckets per doubling; percentiles are exact to 10 %."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

# Lower bounds of the buckets, in milliseconds: four per doubling, from 1 ms to five weeks. Bucket 0
# holds durations below 1 ms.
BOUNDS = tuple(sorted({round(2 ** (quarter / 4)) for quarter in range(127)}))

MAX_KEY_LENGTH = 5  # more than the number of any bucket has

StoredHistogram = Mapping[str, int]


def bucket(ms: int) -> int:
    """The bucket of a duration in ms; the last bucket has no upper bound."""
    return bisect_right(BOUNDS, ms)


def bucket_sql(column: str) -> str:
    """`bucket` as an SQL expression (a binary search); NULL for NULL."""
    return f"CASE WHEN {column} IS NOT NULL THEN {_halves(column, 0, len(BOUNDS))} END"


def merged(histograms: Iterable[StoredHistogram]) -> Counter[int]:
    """The sum of stored histograms; what is none, though a row holds it, is left out."""
    total: Counter[int] = Counter()
    for each in histograms:
        for key, number in each.items() if isinstance(each, dict) else ():
            if key.isdecimal() and len(key) < MAX_KEY_LENGTH and type(number) is int:
                total[int(key)] += number
    return total


def stored(histogram: Mapping[int, int]) -> dict[str, int]:
    """A histogram as JSON: keys are text, in ascending order."""
    return {str(key): histogram[key] for key in sorted(histogram)}


def percentiles(histogram: Mapping[int, int], shares: Sequence[float]) -> list[int | None]:
    """The durations (ms) that these shares, which ascend, do not exceed, or None; the middle of a
    bucket each."""
    found: list[int | None] = []
    total, passed = sum(histogram.values()), 0
    for key in sorted(histogram):
        passed += histogram[key]
        while histogram[key] and len(found) < len(shares) and passed >= shares[len(found)] * total:
            found.append(_middle(key))
    return found + [None] * (len(shares) - len(found))


def _middle(key: int) -> int:
    if key == 0:
        return 0
    low = BOUNDS[min(key, len(BOUNDS)) - 1]
    high = BOUNDS[key] if key < len(BOUNDS) else low
    return round(sqrt(low * high))


def _halves(column: str, low: int, high: int) -> str:
    if low == high:
        return str(low)
    middle = (low + high) // 2
    below, above = _halves(column, low, middle), _halves(column, middle + 1, high)
    return f"CASE WHEN {column} < {BOUNDS[middle]} THEN {below} ELSE {above} END"
