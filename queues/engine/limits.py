"""How many workflows a claim may take: the smallest of what each limit leaves."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dboshub.queues.engine.settings import QueueSettings


@dataclass(frozen=True, slots=True)
class Usage:
    """What a queue, or one partition of it, uses of its limits, across all processes."""

    running: int = 0
    recently_started: int = 0


def allowance(queue: QueueSettings, most: int, used: Usage) -> int:
    """What the queue's shared limits leave of `most`."""
    left = [most]
    if queue.limiter is not None:
        left.append(queue.limiter.limit - used.recently_started)
    if queue.concurrency is not None:
        left.append(queue.concurrency - used.running)
    return max(0, min(left))


def partition_allowance(queue: QueueSettings, most: int, used: Usage, running_here: int) -> int:
    """What one partition's limits leave of `most`."""
    left = [most]
    if queue.partition_worker_concurrency is not None:
        left.append(queue.partition_worker_concurrency - running_here)
    if queue.partition_limiter is not None:
        left.append(queue.partition_limiter.limit - used.recently_started)
    if queue.partition_concurrency is not None:
        left.append(queue.partition_concurrency - used.running)
    return max(0, min(left))


def shares(
    queue: QueueSettings,
    most: int,
    partitions: Iterable[tuple[str, Usage]],
    running_here: Callable[[str], int],
) -> dict[str, int]:
    """What partitions with room may take, in random order so that none comes always last.

    More of them than `most`, since what waits in some may be for other versions.
    """
    here = running_here if queue.partition_worker_concurrency is not None else _not_counted
    candidates = [*partitions]
    random.shuffle(candidates)
    allowed: dict[str, int] = {}
    for key, used in candidates:
        if len(allowed) >= 4 * most:
            break
        share = partition_allowance(queue, most, used, here(key))
        if share:
            allowed[key] = share
    return allowed


def _not_counted(partition: str) -> int:
    return 0
