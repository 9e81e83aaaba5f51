"""The checkpoints that earlier executions of a workflow recorded, read as they are replayed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from typing import Protocol

from dboshub.workflows.engine.errors import DBOSUnexpectedStepError, UnreadableHistory
from dboshub.workflows.engine.ports import StorageExhaustedError
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.engine.runtime.branch_record import GET_RESULT
from dboshub.workflows.engine.runtime.effects import OneAtATime
from dboshub.workflows.engine.runtime.engine import Engine

HISTORY_CHUNK = 1_000
HISTORY_AT_ONCE = 20  # of each workflow, where many begin at once
OUTLINE_CHUNK = 10_000
SHRINK = 10  # how many times smaller a chunk is, after the database failed for one


class Replaying(Protocol):
    """The execution that replays a history."""

    workflow_id: str

    def stop(self, reason: Callable[[], BaseException]) -> None: ...
    def raise_if_stopped(self) -> None: ...


class History:
    """Checkpoints by step id, in chunks of up to HISTORY_CHUNK. A new workflow causes no query."""

    __slots__ = (
        "_at_once",
        "_checkpoints",
        "_engine",
        "_execution",
        "_loaded_to",
        "_loading",
        "_results",
        "_workflow_id",
        "exists",
    )

    def __init__(self, engine: Engine, execution: Replaying, *, exists: bool) -> None:
        """`exists`: whether there may be checkpoints."""
        self.exists = exists
        self._engine = engine
        self._execution = execution
        self._workflow_id = execution.workflow_id
        self._checkpoints: dict[int, Checkpoint] = {}
        self._loaded_to: float = 0
        self._at_once = HISTORY_CHUNK
        self._loading: OneAtATime | None = None
        self._results: dict[str, list[int]] | None = None  # their ids, by the awaited workflow

    @property
    def last_id(self) -> int:
        """The greatest id of the checkpoints that were read and not taken, or 0."""
        return max(self._checkpoints, default=0)

    def take(self, step_id: int, name: str) -> Program[Checkpoint | None]:
        """The checkpoint of a step, or None; it is not kept any longer.

        Raises DBOSUnexpectedStepError if another step is recorded under this id.
        """
        if not self.exists:
            return None
        found = yield from self.peek(step_id)
        if found is None:
            return None
        if found.name != name:
            raise DBOSUnexpectedStepError(self._workflow_id, step_id, name, found.name)
        self._remove(found)
        return found

    def take_result(self, workflow_id: str) -> Program[Checkpoint | None]:
        """The first recorded result of an awaited workflow, whatever its id; it is not kept."""
        while self.exists:
            ids = (self._results or {}).get(workflow_id)
            if ids:
                found = self._checkpoints[ids[0]]
                self._remove(found)
                return found
            if self._loaded_to == inf:
                return None
            yield from self._load()
            self._note_end()
        return None

    def peek(self, step_id: int) -> Program[Checkpoint | None]:
        """The checkpoint under a step id, whatever its name; it is kept."""
        if not self.exists:
            return None
        while step_id > self._loaded_to:
            yield from self._load()
        self._note_end()
        return self._checkpoints.get(step_id)

    def untaken(self) -> Program[list[Checkpoint]]:
        """The checkpoints that were not taken; what was not read before has no payload."""
        found, after = [*self._checkpoints.values()], self._loaded_to
        while self.exists and after != inf:
            rest = yield self._engine.query(partial(self._outline, int(after)))
            found += rest
            after = rest[-1].function_id if len(rest) == OUTLINE_CHUNK else inf
        return found

    def _outline(self, after: int) -> list[Checkpoint]:
        return self._engine.store.outline(self._workflow_id, after=after, limit=OUTLINE_CHUNK)

    def reload(self, step_id: int) -> None:
        """Read it again from a step on: a commit without a reply may have recorded that."""
        self.exists = True
        self._loaded_to = min(self._loaded_to, step_id - 1)

    def add(self, chunk: list[Checkpoint], most: int) -> None:
        """Add the next checkpoints; fewer than `most` are the last ones."""
        for each in chunk:
            if each.child_id is not None and each.name == GET_RESULT:
                self._add_result(each.child_id, each.function_id)
            self._checkpoints[each.function_id] = each
        self._loaded_to = chunk[-1].function_id if len(chunk) == most else inf

    def _load(self) -> Program[None]:
        query = self._engine.query(partial(self._read, int(self._loaded_to)))
        if self._loading is None:
            self._loading = OneAtATime()
        try:
            yield self._loading.perform(query, self._take)
        except Exception as error:
            self._stop_unread(error)

    def _stop_unread(self, error: Exception) -> None:
        """Stop the execution: an error would become that of a step which may have succeeded."""
        why = f"Workflow {self._workflow_id} is left PENDING, its steps cannot be read: {error}"
        self._engine.logger.error(why)
        self._execution.stop(lambda: UnreadableHistory(why))
        self._execution.raise_if_stopped()

    def _read(self, after: int) -> tuple[list[Checkpoint], int]:
        """The next checkpoints and how many were asked for, fewer where the database fails then."""
        store, limit = self._engine.store, self._at_once
        while True:
            try:
                return store.history(self._workflow_id, after=after, limit=limit), limit
            except StorageExhaustedError:
                if limit == 1:
                    raise
                limit = max(1, limit // SHRINK)

    def _take(self, read: tuple[list[Checkpoint], int]) -> None:
        chunk, limit = read
        self._at_once = min(HISTORY_CHUNK, limit * SHRINK)
        self.add(chunk, limit)

    def _add_result(self, workflow_id: str, step_id: int) -> None:
        if self._results is None:
            self._results = {}
        if step_id not in self._checkpoints:  # else it is read again
            self._results.setdefault(workflow_id, []).append(step_id)

    def _remove(self, found: Checkpoint) -> None:
        del self._checkpoints[found.function_id]
        if found.child_id is not None and found.name == GET_RESULT and self._results is not None:
            self._results[found.child_id].remove(found.function_id)
        self._note_end()

    def _note_end(self) -> None:
        if not self._checkpoints and self._loaded_to == inf:
            self.exists = False
