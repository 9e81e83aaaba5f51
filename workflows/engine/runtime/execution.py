"""One execution of a workflow in this process: its step counter, its history, its ownership."""

from __future__ import annotations

from asyncio import AbstractEventLoop, Future
from collections.abc import Callable
from dataclasses import InitVar, dataclass, field
from typing import Any

from dboshub.workflows.engine.errors import (
    DBOSStepNondeterminismError,
    DBOSWorkflowCancelledError,
    DBOSWorkflowConflictIDError,
    ExecutionInterrupted,
)
from dboshub.workflows.engine.identity import Identity
from dboshub.workflows.engine.journal.commit import Commit
from dboshub.workflows.engine.journal.recorded_steps import conflict_of
from dboshub.workflows.engine.journal.writes import Answer, StepWrite, Verdict, Write
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint, Given, Status
from dboshub.workflows.engine.runtime import branch_results
from dboshub.workflows.engine.runtime.activity import Activities, CurrentActivity
from dboshub.workflows.engine.runtime.begun import BegunId
from dboshub.workflows.engine.runtime.branch_order import BranchOrder
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.history import History
from dboshub.workflows.engine.runtime.late_ids import LateIds
from dboshub.workflows.engine.runtime.ownership import Ownership
from dboshub.workflows.engine.suspension.records import Departure
from dboshub.workflows.engine.unserializable import result_of
from dboshub.workflows.engine.waiting.waits import Key, Waiter


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """A claimed or started workflow with the token that owns its row.

    It draws step ids and guards every durable call: a call of an execution that lost its row
    raises instead of acting.
    """

    engine: Engine
    workflow_id: str
    owner: str
    name: str
    identity: Identity
    serialization: str | None = None
    deadline_ms: int | None = None
    has_history: InitVar[bool] = False
    queue_name: str | None = None
    partition_key: str | None = None
    begun: BegunId | None = None  # the id that its caller got
    trace: Any = None  # the trace that its span belongs to, if there is a tracer
    can_suspend: bool = False  # whether it may leave memory while it waits

    counter: int = field(default=0, init=False)
    loop: AbstractEventLoop | None = field(default=None, init=False)  # that runs its coroutine
    ownership: Ownership = field(init=False)
    history: History = field(init=False)
    body: object = field(default=None, init=False)  # the task or thread that runs its body
    tasks: set[Future[Any]] = field(default_factory=set, init=False)  # of its body, not ended
    departure: Departure | None = field(default=None, init=False)  # once it leaves memory
    under_way: set[str] = field(default_factory=set, init=False)  # calls that must not overlap
    activities: Activities = field(default_factory=Activities, init=False)
    # What to run once the outcome is recorded, by who asked for it. It must not fail.
    on_ended: dict[object, Callable[[], Program[None]]] = field(default_factory=dict, init=False)
    # Its body has ended; the outcome and `on_ended` are still to be done. Its end wakes waiters.
    is_ending: bool = field(default=False, init=False)
    is_background: bool = field(default=False, init=False)  # no caller runs it
    late_ids: LateIds = field(init=False)
    order: BranchOrder | None = field(default=None, init=False)  # once several branches run
    _stopped_by: Callable[[], BaseException] | None = field(default=None, init=False)
    _is_told: bool = field(default=False, init=False)  # the reason was raised into the body

    def __post_init__(self, has_history: bool) -> None:
        self.history = History(self.engine, self, exists=has_history)
        self.ownership = Ownership(self.engine.clock)
        self.late_ids = LateIds(self)

    @property
    def wake_key(self) -> Key:
        """The key that every wait of this execution also registers."""
        return ("execution", self.workflow_id)

    def stop(self, reason: Callable[[], BaseException]) -> None:
        """Make the next durable call, or the wait under way, raise `reason()`."""
        if self._stopped_by is None:
            self._stopped_by = reason
        self.engine.waits.wake(*self.wake_key)
        if self.order is not None:
            self.order.open()

    def interrupt(self) -> None:
        """Stop at the end of the current step, because the engine drains."""
        self.stop(lambda: ExecutionInterrupted(self.workflow_id))

    def revoke(self, status: str | None) -> None:
        """Stop, because the row was cancelled, taken over or deleted (`status` is None)."""
        self.stop(lambda: self._lost_ownership(status))

    def invalidate_ownership(self) -> None:
        """Read the row before the next durable call: its owner may have changed."""
        self.ownership.doubt()
        self.engine.waits.wake(*self.wake_key)

    def raise_if_stopped(self) -> None:
        """Raise the reason if this execution was stopped."""
        if self._stopped_by is not None:
            self._is_told = True
            raise self._stopped_by()

    def raise_again_if_stopped(self) -> None:
        """Raise if the body was told to stop: what it made of that is no outcome of its own."""
        if self._is_told:
            self.raise_if_stopped()

    def verify_can_continue(self) -> Program[None]:
        """Raise unless this execution owns its row, as read at most VALID_S ago."""
        self.raise_if_stopped()
        engine = self.engine
        if self.deadline_ms is not None and engine.clock.now_ms() >= self.deadline_ms:
            yield from self._expire()
        if not self.ownership.is_valid:
            yield from self._verify_ownership()
            self.raise_if_stopped()

    def _verify_ownership(self) -> Program[None]:
        is_doubted = True
        while is_doubted:
            reading = self.ownership.begin_reading()
            status, owner = yield from self._status_and_owner()
            if owner != self.owner:
                raise self._lost_ownership(status)
            self.ownership.confirm(reading)
            is_doubted = self.ownership.is_doubted

    def _status_and_owner(self) -> Program[tuple[str | None, str | None]]:
        store = self.engine.store
        rows: dict[str, tuple[str, str | None]] = yield self.engine.query(
            lambda: store.owners([self.workflow_id])
        )
        return rows.get(self.workflow_id, (None, None))

    def _lost_ownership(self, status: str | None) -> BaseException:
        if status == Status.CANCELLED:
            return DBOSWorkflowCancelledError(
                f"Workflow {self.workflow_id} is cancelled. Aborting function."
            )
        return DBOSWorkflowConflictIDError(self.workflow_id)

    def _expire(self) -> Program[None]:
        """Cancel the workflow by compare-and-set: its deadline has passed."""
        engine = self.engine
        yield engine.query(
            lambda: engine.store.retire(
                self.workflow_id, self.owner, status=Status.CANCELLED, now=engine.clock.now_ms()
            )
        )
        self.ownership.doubt()
        yield from self._verify_ownership()

    def now_ms(self) -> int:
        """The time of what begins now: not before a result that a branch has."""
        now = self.engine.clock.now_ms()
        return now if self.order is None else max(now, self.order.given_ms)

    def next_id(self, awaited: str | None = None) -> int:
        """Draw a step id as the step begins; that of the result of a workflow `awaited`."""
        order = self.order
        if order is None and self.tasks:
            order = branch_results.order_of_branches(self)
        self.counter = self.counter + 1 if order is None else order.id_after(self.counter, awaited)
        if self.late_ids.are_awaited:
            self.late_ids.wake()
        return self.counter

    def next_ids(self, count: int) -> range:
        """Draw several step ids, which follow each other; see ``next_id``."""
        first = self.next_id()
        self.pass_id(first + count - 1)
        return range(first, self.counter + 1)

    def pass_id(self, step_id: int) -> None:
        """Draw no id up to this one any more."""
        self.counter = max(self.counter, step_id)
        self.late_ids.wake()

    def checkpoint_of(
        self,
        step_id: int,
        name: str,
        given: Callable[[], Given] | None = None,
        *,
        timer_id: int | None = None,
    ) -> Program[Checkpoint | None]:
        """The checkpoint of a step, taken with its timer's. ``replay`` checks what was `given`."""
        return branch_results.taken_in_order(self, step_id, name, timer_id)

    def replay(self, checkpoint: Checkpoint) -> Any:
        """Return what a recorded step returned, or raise what it raised."""
        codec = self.engine.codec
        if checkpoint.error is not None:
            raise codec.decode_error(checkpoint.error, checkpoint.serialization)
        return codec.decode(checkpoint.output, checkpoint.serialization)

    def step_write(self, step_id: int, name: str, **columns: Any) -> StepWrite:
        """A checkpoint with these columns, fenced by this execution's token."""
        return StepWrite(
            workflow_id=self.workflow_id,
            owner=self.owner,
            function_id=step_id,
            name=name,
            application_name=self.engine.settings.application_name,
            **columns,
        )

    def value_write(
        self, step_id: int, name: str, value: Any, *, started_at: int, child_id: str | None = None
    ) -> tuple[StepWrite, Any]:
        """The checkpoint of a value, and the value as a replay returns it."""
        codec = self.engine.codec
        text = codec.encode(value, subject=result_of("step", name))
        write = self._result_write(step_id, name, started_at, child_id, output=text)
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
        """The checkpoint of an error; raises ExecutionInterrupted once work is handed back."""
        if self.engine.executions.is_handing_back:
            raise ExecutionInterrupted(self.workflow_id)
        text = self.engine.codec.encode_error(error)
        return self._result_write(step_id, name, started_at, child_id, error=text)

    def _result_write(
        self, step_id: int, name: str, started_at: int, child_id: str | None, **result: str
    ) -> StepWrite:
        return self.step_write(
            step_id,
            name,
            serialization=self.engine.codec.name,
            started_at=started_at,
            completed_at=self.engine.clock.now_ms(),
            child_id=child_id,
            **result,
        )

    def commit(self, write: Write) -> Program[Answer]:
        """Make a write durable.

        Raises DBOSWorkflowCancelledError or DBOSWorkflowConflictIDError if this execution no
        longer owns the row, and DBOSStepNondeterminismError if the step has another outcome.
        """
        return branch_results.recorded_in_order(self, write, self._commit(write))

    def _commit(self, write: Write) -> Program[Answer]:
        reading = self.ownership.begin_reading()
        answer: Answer = yield Commit(self.engine.journal, write)
        if answer.verdict is Verdict.REFUSED:
            status, _ = yield from self._status_and_owner()
            raise self._lost_ownership(status)
        if answer.verdict is Verdict.CONFLICT:
            raise DBOSStepNondeterminismError(self.workflow_id, conflict_of(write, answer))
        self.ownership.confirm(reading)
        return answer

    def pause(self, milliseconds: int, activity: CurrentActivity) -> Program[None]:
        """Wait for a time; raises at once if this execution must stop."""
        until = self.engine.clock.now_ms() + milliseconds
        # A step under way keeps the workflow in memory: no table has the second key.
        with self.engine.waits.register(self.wake_key, ("pause", self.workflow_id)) as waiter:
            while (yield from self.wait(waiter, until, activity)):
                continue

    def wait(
        self, waiter: Waiter, until_ms: int | None, activity: CurrentActivity
    ) -> Program[bool]:
        """Wait without a slot or a connection; False once `until_ms` (engine time) has passed.

        A long wait may raise WorkflowSuspended: the workflow leaves memory.
        """
        self.raise_if_stopped()
        engine = self.engine
        limits = [each for each in (until_ms, self.deadline_ms) if each is not None]
        deadline = None
        if limits:
            deadline = engine.clock.monotonic() + (min(limits) - engine.clock.now_ms()) / 1000
        waiting = activity.as_wait(self.counter, since=engine.clock.now_ms(), until=until_ms)
        with engine.slots.without_slot(self), self.activities.track(waiting):
            woken = yield from engine.suspension.wait(self, waiter, until_ms, deadline)
        yield from self.verify_can_continue()
        return woken or until_ms is None or engine.clock.now_ms() < until_ms
