"""One run of a workflow in this process: its step counter, its history, its right to go on."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any

from dboshub.workflows.engine.errors import (
    DBOSStepNondeterminismError,
    DBOSUnexpectedStepError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
    ExecutionInterrupted,
)
from dboshub.workflows.engine.journal.group_commit import Commit
from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Verdict, Write
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint, Status
from dboshub.workflows.engine.runtime.activity import Activities, Doing
from dboshub.workflows.engine.runtime.runs import Run
from dboshub.workflows.engine.waiting.waits import Key, Waiter

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.engine import Engine

HISTORY_CHUNK = 1_000
# A step body starts only on a proof of ownership younger than this.
OWNERSHIP_VALID_S = 1.0


class Execution:
    """Draws step ids and guards every durable call of one run."""

    __slots__ = (
        *("_history", "_loaded_to", "_stopped_by", "counter", "deadline_ms", "doing", "endings"),
        *(
            "engine",
            "has_history",
            "holds_slot",
            "owner",
            "ownership_verified_at",
            "queue_name",
            "run",
        ),
        *("serialization", "workflow_id"),
    )

    def __init__(self, engine: Engine, run: Run) -> None:
        self.engine = engine
        self.run = run
        self.workflow_id = run.workflow_id
        self.owner = run.owner
        self.serialization = run.serialization
        self.deadline_ms = run.deadline_ms
        self.has_history = run.has_history
        self.queue_name = run.queue_name
        self.counter = 0
        self.ownership_verified_at = engine.clock.monotonic()
        self.holds_slot = False
        self.doing = Activities()
        # What to do once the outcome is recorded, by who asked for it. It must not fail.
        self.endings: dict[object, Callable[[], Program[None]]] = {}
        self._history: dict[int, Checkpoint] = {}
        self._loaded_to: float = 0
        self._stopped_by: Callable[[], BaseException] | None = None

    # -- the right to go on ----------------------------------------------------------------

    @property
    def wake_key(self) -> Key:
        """What every wait of this run also listens to."""
        return ("execution", self.workflow_id)

    def stop(self, reason: Callable[[], BaseException]) -> None:
        """Make the next durable call, or the wait under way, raise `reason()`."""
        if self._stopped_by is None:
            self._stopped_by = reason
        self.engine.waits.wake(*self.wake_key)

    def interrupt(self) -> None:
        """The engine drains: go no further than the end of the current step."""
        self.stop(lambda: ExecutionInterrupted(self.workflow_id))

    def revoke(self, status: str | None) -> None:
        """The row is no longer this run's: cancelled, taken over, or gone."""
        self.stop(lambda: self._refusal(status))

    def invalidate_ownership(self) -> None:
        """Look at the row before going on: somebody may have taken it."""
        self.ownership_verified_at = -inf
        self.engine.waits.wake(*self.wake_key)

    def check(self) -> None:
        """Raise if this run may not go on."""
        if self._stopped_by is not None:
            raise self._stopped_by()

    def proceed(self) -> Program[None]:
        """Let the run start something only if it surely still owns its row."""
        self.check()
        engine = self.engine
        if self.deadline_ms is not None and engine.clock.now_ms() >= self.deadline_ms:
            yield from self._expire()
        if engine.clock.monotonic() - self.ownership_verified_at >= OWNERSHIP_VALID_S:
            yield from self._verify_ownership()

    def _verify_ownership(self) -> Program[None]:
        now = self.engine.clock.monotonic()
        status, owner = yield from self._row()
        if owner != self.owner:
            raise self._refusal(status)
        self.ownership_verified_at = now

    def _row(self) -> Program[tuple[str | None, str | None]]:
        store = self.engine.store
        rows: dict[str, tuple[str, str | None]] = yield self.engine.query(
            lambda: store.owners([self.workflow_id])
        )
        return rows.get(self.workflow_id, (None, None))

    def _refusal(self, status: str | None) -> BaseException:
        if status == Status.CANCELLED:
            return DBOSWorkflowCancelledError(f"Workflow {self.workflow_id} was cancelled")
        return DBOSWorkflowConflictIDError(self.workflow_id)

    def _expire(self) -> Program[None]:
        """The deadline passed: cancel by compare-and-set, as the sweep would a moment later."""
        engine = self.engine
        yield engine.query(
            lambda: engine.store.retire(
                self.workflow_id,
                self.owner,
                status=Status.CANCELLED,
                now=engine.clock.now_ms(),
            )
        )
        self.ownership_verified_at = -inf
        yield from self._verify_ownership()

    # -- steps -----------------------------------------------------------------------------

    def next_id(self) -> int:
        """Draw a step id: as the step begins, before it awaits anything."""
        self.counter += 1
        return self.counter

    def recorded(self, step_id: int, name: str) -> Program[Checkpoint | None]:
        """The checkpoint of a step, if it was taken before; a fresh run looks nothing up."""
        if not self.has_history:
            return None
        found = yield from self.peek(step_id)
        if found is None:
            return None
        if found.name != name:
            raise DBOSUnexpectedStepError(self.workflow_id, step_id, name, found.name)
        del self._history[step_id]
        if not self._history and self._loaded_to == inf:
            self.has_history = False
        return found

    def peek(self, step_id: int) -> Program[Checkpoint | None]:
        """The checkpoint at a step id, whatever its name, left where it is."""
        if not self.has_history:
            return None
        while step_id > self._loaded_to:
            yield from self._load()
        if not self._history and self._loaded_to == inf:
            self.has_history = False
        return self._history.get(step_id)

    def _load(self) -> Program[None]:
        store, after = self.engine.store, int(self._loaded_to)
        chunk: list[Checkpoint] = yield self.engine.query(
            lambda: store.history(self.workflow_id, after=after, limit=HISTORY_CHUNK)
        )
        self._history.update((each.function_id, each) for each in chunk)
        self._loaded_to = chunk[-1].function_id if len(chunk) == HISTORY_CHUNK else inf

    def reload_history(self, step_id: int) -> None:
        """Read the history from a step on once more: its fate is not known."""
        self.has_history = True
        self._loaded_to = min(self._loaded_to, step_id - 1)

    def replay(self, checkpoint: Checkpoint) -> Any:
        """What a recorded step returned; raises what it raised."""
        codec = self.engine.codec
        if checkpoint.error is not None:
            raise codec.decode_error(checkpoint.error, checkpoint.serialization)
        return codec.decode(checkpoint.output, checkpoint.serialization)

    def run_inner(self, step_id: int, name: str, program: Program[Any]) -> Program[Any]:
        """Run one of the engine's own programs as a step, its result recorded."""
        checkpoint = yield from self.recorded(step_id, name)
        if checkpoint is not None:
            self.check()
            return self.replay(checkpoint)
        yield from self.proceed()
        started_at = self.engine.clock.now_ms()
        try:
            value = yield from program
        except Exception as error:
            yield from self.commit(self.error_write(step_id, name, error, started_at=started_at))
            raise
        write, value = self.value_write(step_id, name, value, started_at=started_at)
        yield from self.commit(write)
        return value

    def step_write(self, step_id: int, name: str, **columns: Any) -> StepWrite:
        return StepWrite(
            workflow_id=self.workflow_id,
            owner=self.owner,
            function_id=step_id,
            name=name,
            application_name=self.engine.settings.application_name,
            **columns,
        )

    def value_write(
        self,
        step_id: int,
        name: str,
        value: Any,
        *,
        started_at: int,
        child_id: str | None = None,
    ) -> tuple[StepWrite, Any]:
        """The checkpoint of a value, and the value as replay will return it."""
        codec = self.engine.codec
        text = codec.encode(value)
        write = self.step_write(
            step_id,
            name,
            output=text,
            serialization=codec.name,
            started_at=started_at,
            completed_at=self.engine.clock.now_ms(),
            child_id=child_id,
        )
        return write, value if codec.is_lossless else codec.decode(text, codec.name)

    def error_write(
        self,
        step_id: int,
        name: str,
        error: BaseException,
        *,
        started_at: int,
        child_id: str | None = None,
    ) -> StepWrite:
        codec = self.engine.codec
        return self.step_write(
            step_id,
            name,
            error=codec.encode_error(error),
            serialization=codec.name,
            started_at=started_at,
            completed_at=self.engine.clock.now_ms(),
            child_id=child_id,
        )

    def commit(self, write: Write) -> Program[Answer]:
        """Make a write durable; raises what a refusal means."""
        began = self.engine.clock.monotonic()
        answer: Answer = yield Commit(self.engine.journal, write)
        if answer.verdict is Verdict.REFUSED:
            status, _ = yield from self._row()
            raise self._refusal(status)
        if answer.verdict is Verdict.CONFLICT:
            step = write if isinstance(write, StepWrite) else getattr(write, "step", None)
            raise DBOSStepNondeterminismError(
                self.workflow_id, getattr(step, "function_id", 0), getattr(step, "name", "")
            )
        self.ownership_verified_at = began
        return answer

    # -- waiting ---------------------------------------------------------------------------

    def pause(self, milliseconds: int, what: Doing) -> Program[None]:
        """Wait for a while; ends at once, by raising, if the run must stop."""
        until = self.engine.clock.now_ms() + milliseconds
        with self.engine.waits.register(self.wake_key) as waiter:
            while (yield from self.wait(waiter, until, what)):
                continue

    def wait(self, waiter: Waiter, until_ms: int | None, what: Doing) -> Program[bool]:
        """Wait without holding anything; False when `until_ms` (engine time) has passed."""
        self.check()
        engine = self.engine
        limits = [each for each in (until_ms, self.deadline_ms) if each is not None]
        deadline = None
        if limits:
            deadline = engine.clock.monotonic() + (min(limits) - engine.clock.now_ms()) / 1000
        doing = what.as_wait(self.counter, since=engine.clock.now_ms(), until=until_ms)
        with engine.slots.without_slot(self), self.doing.during(doing):
            woken: bool = yield engine.waiting(waiter, deadline)
        yield from self.proceed()
        return woken or until_ms is None or engine.clock.now_ms() < until_ms
