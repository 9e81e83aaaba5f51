"""What the program and the verdict have to agree on: queues with their limits, and texts."""

from __future__ import annotations

from dataclasses import dataclass

SAID = ["one", "two", "three"]
COMPLAINT = "asked for"
PERIOD_S = 1.0


@dataclass(frozen=True)
class QueueLimits:
    """A queue and its limits; `starts` are those within PERIOD_S."""

    name: str
    concurrency: int | None = None
    worker_concurrency: int | None = None
    partition_concurrency: int | None = None
    starts: int | None = None


PLAIN = QueueLimits("plain")
NARROW = QueueLimits("narrow", concurrency=2)
APIECE = QueueLimits("apiece", worker_concurrency=1)
KEYED = QueueLimits("keyed", partition_concurrency=1)
RATED = QueueLimits("rated", starts=5)
QUEUES = (PLAIN, NARROW, APIECE, KEYED, RATED)
