"""The recorded steps of a replay; a call that is not among them ends its branch."""

from __future__ import annotations

import asyncio

from dboshub.workflows.engine.errors import DBOSUnexpectedStepError, ExecutionInterrupted
from dboshub.workflows.engine.operations.events import GET_EVENT
from dboshub.workflows.engine.operations.messages import RECV
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.engine.replay.quiet_loop import QuietLoop
from dboshub.workflows.engine.replay.records import Kind, RecordedRun, RunReport
from dboshub.workflows.engine.runtime.branch_record import GET_RESULT, SLEEP
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.history import History, Replaying


class EndOfRecord(ExecutionInterrupted):
    """A call is not recorded: nothing of it runs. User code does not catch it."""


class BranchEnd:
    """The effect of a call that is not recorded: EndOfRecord, once no other branch goes on."""

    def __init__(self, workflow_id: str) -> None:
        self._workflow_id = workflow_id

    def block(self) -> None:
        raise EndOfRecord(self._workflow_id)

    async def wait(self) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(loop, QuietLoop):
            await loop.quiet(has_ended=True)
        raise EndOfRecord(self._workflow_id)


class RecordedSteps(History):
    """A history that is complete: what it lacks never happened."""

    __slots__ = ("_is_closed", "_peeked", "_report", "_with_timer")

    def __init__(
        self, engine: Engine, execution: Replaying, run: RecordedRun, report: RunReport
    ) -> None:
        super().__init__(engine, execution, exists=True)
        self._report = report
        self._is_closed = False
        self._peeked: int | None = None  # the step that a patch looked for, and is not recorded
        self._with_timer: set[int] = set()  # waits that are replayed; their timer may be missing
        self.add([*run.steps], len(run.steps) + 1)

    def has(self, step_id: int) -> bool:
        """Whether a step is recorded, and not taken."""
        return step_id in self._checkpoints

    def take(self, step_id: int, name: str) -> Program[Checkpoint | None]:
        try:
            found = yield from super().take(step_id, name)
        except DBOSUnexpectedStepError as error:
            recorded = str(error.inputs[-1])
            text = f"step {step_id} is recorded as {recorded}, and the code calls {name}"
            self._differ(Kind.STEP, text, step_id, recorded, name)
            raise
        if found is None:
            if name == SLEEP and step_id - 1 in self._with_timer:
                return None
            yield from self.end(step_id, name)
        if name in (RECV, GET_EVENT):
            self._with_timer.add(step_id)
        self._report.replayed += not self._is_closed
        return found

    def take_result(self, workflow_id: str) -> Program[Checkpoint | None]:
        found = yield from super().take_result(workflow_id)
        if found is None:
            yield from self.end(self.last_id + 1, GET_RESULT)
        self._report.replayed += not self._is_closed
        return found

    def peek(self, step_id: int) -> Program[Checkpoint | None]:
        found = yield from super().peek(step_id)
        self._peeked = step_id if found is None else None
        return found

    def end(self, step_id: int, name: str) -> Program[None]:
        """End this branch, which goes on with a step that is not recorded."""
        if self._report.goes_on_with is None and not self._is_closed:
            self._report.goes_on_with = (step_id, name)
        yield BranchEnd(self._workflow_id)

    def close(self) -> None:
        """Note nothing any more: what is called from now on is the end of branches."""
        self._is_closed = True

    def is_new_patch(self, step_id: int) -> bool:
        """Whether a patch draws this step, which would be recorded at this place."""
        return self._peeked == step_id

    def left(self, after: int) -> list[Checkpoint]:
        """The recorded steps beyond the last step that was drawn, which nobody called."""
        return [self._checkpoints[each] for each in sorted(self._checkpoints) if each > after]

    def _differ(self, kind: Kind, text: str, step: int, recorded: str, called: str) -> None:
        if not self._is_closed:
            self._report.differs(kind, text, step, recorded=recorded, called=called)
        self.close()

    def _note_end(self) -> None:
        """It exists to its end and beyond: a new workflow would record what it lacks."""
