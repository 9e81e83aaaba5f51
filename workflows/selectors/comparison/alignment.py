"""Two sequences of names aligned like a diff: by a longest common subsequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Pair = tuple[int | None, int | None]


def align(left: Sequence[str], right: Sequence[str]) -> list[Pair]:
    """The places of equal names in pairs, and the others alone, in order.

    The cost is the product of the lengths, without equal names at the beginning.
    """
    first = 0
    while first < min(len(left), len(right)) and left[first] == right[first]:
        first += 1
    rest = _aligned(left[first:], right[first:])
    pairs: list[Pair] = [(at, at) for at in range(first)]
    return pairs + [
        (None if one is None else one + first, None if other is None else other + first)
        for one, other in rest
    ]


def _aligned(left: Sequence[str], right: Sequence[str]) -> Iterator[Pair]:
    lengths = _common_lengths(left, right)
    one = other = 0
    while one < len(left) or other < len(right):
        if one == len(left):
            yield None, other
            other += 1
        elif other == len(right):
            yield one, None
            one += 1
        elif left[one] == right[other]:
            yield one, other
            one, other = one + 1, other + 1
        elif lengths[one + 1][other] >= lengths[one][other + 1]:
            yield one, None
            one += 1
        else:
            yield None, other
            other += 1


def _common_lengths(left: Sequence[str], right: Sequence[str]) -> list[list[int]]:
    """The length of the longest common subsequence from each pair of places on."""
    lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for one in range(len(left) - 1, -1, -1):
        row, below, name = lengths[one], lengths[one + 1], left[one]
        for other in range(len(right) - 1, -1, -1):
            row[other] = (
                below[other + 1] + 1 if name == right[other] else max(below[other], row[other + 1])
            )
    return lengths
