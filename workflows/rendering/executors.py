"""How pages show a live process: its queues and its current activities."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.rendering.status_reasons import activity_text
from dboshub.workflows.selectors.executor_overview import Process
from dboshub.workflows.selectors.executors import Activity

MAX_ACTIVITIES = 5
MAX_QUEUES = 8


@dataclass(frozen=True, slots=True)
class ShownActivity:
    workflow_id: str
    words: str
    since: int | None
    until: int | None


@dataclass(frozen=True, slots=True)
class ProcessView:
    """A process with its longest activities. `queues` is None if it serves all queues; `more` and
    `more_queues` count what is not shown."""

    process: Process
    activities: list[ShownActivity]
    more: int
    queues: list[str] | None
    more_queues: int

    @property
    def percent(self) -> int:
        executor = self.process.executor
        return min(100, round(100 * executor.taken_slots / executor.slots)) if executor.slots else 0

    @property
    def is_full(self) -> bool:
        return not self.process.executor.has_free_slot


def show(process: Process) -> ProcessView:
    """A process as shown; the longest activities come first."""
    executor = process.executor
    said = sorted(executor.activities(), key=_begun)
    words = [(each, activity, activity_text(activity)) for each, activity in said]
    activities = [
        ShownActivity(each, text.rstrip("."), activity.since, activity.until)
        for each, activity, text in words
        if text
    ]
    queues = None if executor.queues is None else sorted(executor.queues)
    return ProcessView(
        process,
        activities[:MAX_ACTIVITIES],
        len(activities[MAX_ACTIVITIES:]),
        queues and queues[:MAX_QUEUES],
        len(queues[MAX_QUEUES:]) if queues else 0,
    )


def _begun(said: tuple[str, Activity]) -> tuple[int, str]:
    return said[1].since or 0, said[0]
