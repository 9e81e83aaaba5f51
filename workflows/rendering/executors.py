"""A live process in words: what it serves and what it does just now."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.rendering.status_reasons import activity_text
from dboshub.workflows.selectors.executor_overview import Process
from dboshub.workflows.selectors.executors import Activity

MAX_ACTIVITIES = 5
QUEUES = 8


@dataclass(frozen=True, slots=True)
class ShownActivity:
    workflow_id: str
    words: str
    since: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class ProcessView:
    """`queues` is None if it serves all; `more` counts the doings that are not shown."""

    process: Process
    activities: list[ShownActivity]
    more: int
    queues: list[str] | None
    more_queues: int

    @property
    def percent(self) -> int:
        slots = self.process.slots
        return min(100, round(100 * self.process.busy / slots)) if slots else 0

    @property
    def is_full(self) -> bool:
        return bool(self.process.slots) and self.process.busy >= (self.process.slots or 0)


def show(process: Process) -> ProcessView:
    """The doings of longest standing come first."""
    executor = process.executor
    said = sorted(executor.activities(), key=_begun)
    words = [(each, doing, activity_text(doing)) for each, doing in said]
    activities = [
        ShownActivity(each, text.rstrip("."), doing.since, doing.until)
        for each, doing, text in words
        if text
    ]
    queues = None if executor.queues is None else sorted(executor.queues)
    return ProcessView(
        process,
        activities[:MAX_ACTIVITIES],
        len(activities[MAX_ACTIVITIES:]),
        queues and queues[:QUEUES],
        len(queues[QUEUES:]) if queues else 0,
    )


def _begun(said: tuple[str, Activity]) -> tuple[int, str]:
    return said[1].since or 0, said[0]
