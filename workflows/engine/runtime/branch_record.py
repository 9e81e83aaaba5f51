"""What earlier executions recorded of concurrent branches: when operations began and ended."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from itertools import accumulate

from dboshub.workflows.engine.records import Checkpoint

GET_RESULT = "DBOS.getResult"
SLEEP = "DBOS.sleep"

Key = tuple[int, int]  # time of completion in epoch ms, step id


def key_of(checkpoint: Checkpoint) -> Key:
    """The place of a recorded result. Other libraries may record no time."""
    return checkpoint.completed_at or checkpoint.started_at or 0, checkpoint.function_id


class BranchRecord:
    """The recorded results that are not given out yet, and the ids that were drawn before each."""

    __slots__ = ("_begun", "_last_ids", "_results", "late")

    def __init__(self, rows: Collection[Checkpoint]) -> None:
        # Awaited workflows, by ids that are drawn when the result is there.
        self.late = {
            each.function_id: each.child_id
            for each in rows
            if each.name == GET_RESULT and each.child_id is not None
        }
        # The first one last. The row of a sleep is its begin.
        self._results = sorted((key_of(each) for each in rows if each.name != SLEEP), reverse=True)
        begun = sorted(
            (self._begun_at(each), each.function_id) for each in rows if each.started_at is not None
        )
        self._begun = [at for at, _ in begun]
        self._last_ids = list(accumulate((step_id for _, step_id in begun), max))

    @property
    def first(self) -> Key | None:
        """The result that comes next."""
        return self._results[-1] if self._results else None

    @property
    def last(self) -> Key:
        return self._results[0] if self._results else (0, 0)

    def drawn_before(self, key: Key) -> int:
        """The last id that was drawn before this result was given out, or 0."""
        at, step_id = key
        before = bisect_left(self._begun, at)
        last_id = self._last_ids[before - 1] if before else 0
        return max(last_id, step_id) if step_id in self.late else last_id

    def remove(self, key: Key) -> None:
        """This result is given out, or does not come."""
        if self._results and self._results[-1] == key:
            self._results.pop()
        elif self._results:
            self._results = [each for each in self._results if each != key]

    def remove_step(self, step_id: int) -> None:
        """The result of this step does not come."""
        self._results = [each for each in self._results if each[1] != step_id]

    def _begun_at(self, each: Checkpoint) -> int:
        is_late = each.function_id in self.late
        return (each.completed_at if is_late else each.started_at) or 0
