"""The answers of a bulk call: a workflow id or an error for each item, in order."""

from __future__ import annotations

from dboshub.workflows.engine.journal.writes import StepWrite
from dboshub.workflows.engine.records import Checkpoint, UnseenId
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.start_request import PreparedStart
from dboshub.workflows.engine.runtime.starting import child_step

Answers = list[str | Exception]


class BulkAnswers:
    """Collects the answers, and the checkpoints of their parent that are still to be written."""

    def __init__(self, engine: Engine, name: str, count: int) -> None:
        """`name` is that of the call."""
        self.all: Answers = [""] * count
        # Of starts that another workflow prevented: what is started is recorded with its row.
        self.unrecorded: list[StepWrite] = []
        self._engine = engine
        self._name = name

    def accept(self, index: int, workflow_id: str, start: PreparedStart) -> None:
        """The start made or found a workflow."""
        # In an open transaction nobody else sees the row yet.
        is_open = self._engine.ambient() is not None
        self.all[index] = UnseenId(workflow_id) if is_open else workflow_id
        if start.queue_name is not None:
            self._engine.on_queue_used(start.queue_name)

    def accept_holder(self, index: int, workflow_id: str, start: PreparedStart) -> None:
        """The start returns the workflow that holds its deduplication id."""
        self.accept(index, workflow_id, start)
        if start.parent is not None:
            self.unrecorded.append(child_step(start, start.parent, workflow_id))

    def begun(self, index: int, execution: Execution) -> None:
        """The workflow runs here."""
        self.all[index] = execution.begun or execution.workflow_id

    def refuse(self, index: int, error: Exception) -> None:
        """The item cannot be started; the error says which item that is."""
        error.add_note(f"This is the answer to item {index} of {self._name}.")
        self.all[index] = error

    def refuse_prevented(self, index: int, error: Exception, start: PreparedStart) -> None:
        """Another workflow prevented the start, as a replay must answer, too."""
        self.refuse(index, error)
        parent = start.parent
        if parent is not None:
            now, name = self._engine.clock.now_ms(), start.function.name
            step = parent.error_write(start.step_id, name, error, started_at=now)
            self.unrecorded.append(step)

    def replay(self, index: int, checkpoint: Checkpoint, start: PreparedStart) -> None:
        """An earlier execution recorded the answer. Raises one that is no error of an item."""
        if checkpoint.error is None:
            self.accept(index, checkpoint.child_id or start.workflow_id, start)
            return
        codec = self._engine.codec
        error = codec.decode_error(checkpoint.error, checkpoint.serialization)
        if not isinstance(error, Exception):
            raise error
        self.all[index] = error

    def raise_first(self) -> None:
        """Raise the first error, if there is one."""
        for answer in self.all:
            if isinstance(answer, Exception):
                raise answer
