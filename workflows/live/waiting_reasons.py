"""Why the waiting workflows that pages show are not claimed; nothing of it is in their rows."""

from __future__ import annotations

from collections.abc import Mapping

from dboshub.workflows.live.source import PollTick
from dboshub.workflows.rendering.reason import Reason, why_they_wait
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session

# How often it is read, in seconds: pauses, limits and executors change seldom.
INTERVAL_S = 5.0


class WaitingReasons:
    """Reads the reasons of all waiting workflows at an interval, and when another one waits."""

    def __init__(self) -> None:
        self._read_at = float("-inf")
        self._of: tuple[frozenset[WorkflowRow], Mapping[str, Reason]] = (frozenset(), {})

    def of(
        self, session: Session, rows: Mapping[str, WorkflowRow], tick: PollTick
    ) -> Mapping[str, Reason]:
        """The reasons of those of these workflows that wait, by their ids."""
        waiting = frozenset(row for row in rows.values() if row.is_waiting)
        known, _ = self._of
        if not waiting <= known or tick.at - self._read_at >= INTERVAL_S:
            self._read_at = tick.at
            self._of = waiting, why_they_wait(session, waiting, tick.now_ms)
        return self._of[1]


def reason_facts(reason: Reason | None) -> list[tuple[str, str]]:
    """What of a reason a page shows, without the times that pass."""
    return [] if reason is None else [(each.code, each.text) for each in reason.blockers]
