"""The execution of a replay: it takes every result from the record, and writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint, Given
from dboshub.workflows.engine.replay.history import EndOfRecord, RecordedSteps
from dboshub.workflows.engine.replay.quiet_loop import QuietLoop
from dboshub.workflows.engine.replay.records import Kind, RecordedRun, RunReport
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.branch_results import taken_in_order
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.engine.waiting.waits import Waiter

PATCH = "DBOS.patch"


class NoDuties(dict[object, Callable[[], Program[None]]]):
    """What is to be done after the end of a workflow: a replay leaves it undone."""

    def __setitem__(self, by: object, duty: Callable[[], Program[None]]) -> None:
        pass


@dataclass(slots=True, kw_only=True, eq=False)
class ReplayedExecution(Execution):
    """An execution whose history is a whole record. A step that it lacks does not run."""

    run: RecordedRun
    report: RunReport
    left: list[Checkpoint] | None = None  # recorded steps that nobody called, once it is closed

    def __post_init__(self, has_history: bool) -> None:
        Execution.__post_init__(self, has_history)
        self.history = RecordedSteps(self.engine, self, self.run, self.report)
        self.on_ended = NoDuties()

    @property
    def recorded(self) -> RecordedSteps:
        assert isinstance(self.history, RecordedSteps)
        return self.history

    def close(self) -> None:
        """Note what nobody called. What is called from now on only ends the branches."""
        if self.left is None:
            self.left = self.recorded.left(self.counter)
        self.recorded.close()

    def checkpoint_of(
        self,
        step_id: int,
        name: str,
        given: Callable[[], Given] | None = None,
        *,
        timer_id: int | None = None,
    ) -> Program[Checkpoint | None]:
        if given is not None and not self.recorded.has(step_id):
            given()  # raises what the call raised, if its arguments could not be recorded
        found = yield from taken_in_order(self, step_id, name, timer_id)
        if found is not None and given is not None and step_id in self.run.given:
            self._compare(step_id, name, given(), self.run.given[step_id])
        return found

    def replay(self, checkpoint: Checkpoint) -> Any:
        try:
            return Execution.replay(self, checkpoint)
        except Exception as error:
            if not self._is_recorded_error(checkpoint):
                text = (
                    f"the recorded result of step {checkpoint.function_id} ({checkpoint.name}) "
                    f"cannot be read: {type(error).__name__}: {error}"
                )
                self.report.differs(Kind.UNREADABLE, text, checkpoint.function_id)
            raise

    def verify_can_continue(self) -> Program[None]:
        """Something would run that is not recorded: the replay of this branch ends here."""
        name = PATCH if self.recorded.is_new_patch(self.counter) else "a call that is no step"
        yield from self.recorded.end(self.counter, name)

    def wait(
        self, waiter: Waiter, until_ms: int | None, activity: CurrentActivity
    ) -> Program[bool]:
        """Wait for other branches; as at a timeout if none of them goes on."""
        woken: bool = yield _OthersGoOn(self.workflow_id, waiter)
        return woken

    def _is_recorded_error(self, checkpoint: Checkpoint) -> bool:
        if checkpoint.error is None:
            return False
        try:
            self.engine.codec.decode_error(checkpoint.error, checkpoint.serialization)
        except Exception:
            return False
        return True

    def _compare(self, step_id: int, name: str, now: Given, then: Given) -> None:
        if is_same(self.engine.codec, now, then):
            return
        text = f"step {step_id} ({name}) gets other arguments than are recorded"
        self.report.differs(Kind.ARGUMENTS, text, step_id, recorded=name, called=name)


class _OthersGoOn:
    """The effect of waiting for a waiter's keys until no branch of the body goes on."""

    def __init__(self, workflow_id: str, waiter: Waiter) -> None:
        self._workflow_id = workflow_id
        self._waiter = waiter

    def block(self) -> bool:
        raise EndOfRecord(self._workflow_id)

    async def wait(self) -> bool:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, QuietLoop):
            raise EndOfRecord(self._workflow_id)
        quiet: asyncio.Future[Any] = loop.quiet(has_ended=False)
        woken: asyncio.Future[Any] = asyncio.ensure_future(self._waiter.wait())
        try:
            await asyncio.wait({quiet, woken}, return_when=asyncio.FIRST_COMPLETED)
            return woken.done()
        finally:
            quiet.cancel()
            woken.cancel()


def is_same(codec: Codec, one: Given, other: Given) -> bool:
    """Whether two texts hold equal values: equal texts do, whatever the values are."""
    if one == other:
        return True
    try:
        return bool(codec.decode(*one) == codec.decode(*other))
    except Exception:
        return False
