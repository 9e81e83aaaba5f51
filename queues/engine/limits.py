"""How many workflows a claim may take: the minimum of what each limit allows."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dboshub.queues.engine.settings import QueueSettings


@dataclass(frozen=True, slots=True)
class Usage:
    """The usage of a queue or one partition of it, in all processes."""

    running: int = 0
    recently_started: int = 0


Left = dict[str, int]  # what each limit leaves, by the setting's name


def left(queue: QueueSettings, used: Usage) -> Left:
    """How many more workflows each shared limit of a queue allows, below 0 if exceeded."""
    found: Left = {}
    if queue.limiter is not None:
        found["limiter"] = queue.limiter.limit - used.recently_started
    if queue.concurrency is not None:
        found["concurrency"] = queue.concurrency - used.running
    return found


def partition_left(queue: QueueSettings, used: Usage, running_here: int) -> Left:
    """How many more workflows each limit of one partition allows."""
    found: Left = {}
    if queue.partition_worker_concurrency is not None:
        found["partition_worker_concurrency"] = queue.partition_worker_concurrency - running_here
    if queue.partition_limiter is not None:
        found["partition_limiter"] = queue.partition_limiter.limit - used.recently_started
    if queue.partition_concurrency is not None:
        found["partition_concurrency"] = queue.partition_concurrency - used.running
    return found


def allowance(queue: QueueSettings, most: int, used: Usage) -> int:
    """How many of `most` workflows the shared limits of a queue allow."""
    return max(0, min([most, *left(queue, used).values()]))


def partition_allowance(queue: QueueSettings, most: int, used: Usage, running_here: int) -> int:
    """How many of `most` workflows the limits of one partition allow."""
    return max(0, min([most, *partition_left(queue, used, running_here).values()]))


def shares(
    queue: QueueSettings,
    most: int,
    partitions: Iterable[tuple[str, Usage]],
    running_here: Callable[[str], int],
) -> dict[str, int]:
    """How many workflows each partition below its limits may take, in random order.

    It returns up to four times as many partitions as `most`, because the workflows of some may be
    for other versions.
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
