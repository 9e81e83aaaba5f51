"""The order in which concurrent branches of a workflow get the results of their operations.

A step id is drawn as its operation begins, and what a branch begins follows from the results that
the branches got before. So the same ids mean the same operations in a replay only if the results
come in the same order. That order is recorded: by the time of completion, then by id. Live and in
a replay alike, results are given out in it, one at a time, and after each of them the branches
first begin what follows from it.

The times tell more: an operation began before a result was given out if and only if its start is
before that result's completion. A replay gives no result before all that began before has begun.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Container
from typing import Any, Protocol

from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.engine.runtime.branch_effects import Place, Reading
from dboshub.workflows.engine.runtime.branch_record import BranchRecord, Key
from dboshub.workflows.engine.runtime.branch_settling import Settling, Tasks
from dboshub.workflows.engine.runtime.effects import OneAtATime

# A replay waits so much longer than the recorded run for what changed code never asks for.
PATIENCE_S, LONGEST_GAP_S = 1.0, 60.0
READING_S = 30.0  # for what has begun, and reads its record
TICK_S = 0.25  # in ticks: an event loop that stood still has not waited


class Untaken(Protocol):
    """What is recorded."""

    def untaken(self) -> Program[list[Checkpoint]]:
        """The recorded steps that were not taken, without their payloads."""


class Branching(Protocol):
    """The execution whose branches get results."""

    counter: int

    def now_ms(self) -> int:
        """The time, not before that of the latest result."""

    @property
    def history(self) -> Untaken: ...

    def pass_id(self, step_id: int) -> None:
        """Draw no id up to this one any more."""

    def raise_if_stopped(self) -> None: ...


class BranchOrder:
    """Gives out the results of one execution, on its event loop."""

    def __init__(self, execution: Branching, body: Any, tasks: Tasks) -> None:
        self._execution = execution
        self.settling = Settling((body, *tasks))
        self._loop = asyncio.get_running_loop()
        self._learning = OneAtATime()
        self._is_known = self._is_open = self._is_turning = False
        self._asked: dict[int, Checkpoint] = {}  # taken before all recorded ones are known
        self._record = BranchRecord(())
        self._begun: dict[int, int] = {}  # start times by step id
        self._held = 0
        self._expected: list[Key] = []  # a heap; may hold keys that are not in `_unrecorded`
        self._unrecorded: set[Key] = set()
        self._asking: list[Key] = []  # a heap; may hold keys that are not in `_waiting`
        self._waiting: dict[Key, asyncio.Future[None]] = {}
        self._patience: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._waived = 0  # ids up to this one are not waited for
        self._given: Key = (0, 0)
        self._latest: Key = (0, 0)

    @property
    def given_ms(self) -> int:
        """The completion of the latest result that was given out; what begins now began after."""
        return self._given[0]

    def later(self, key: Key) -> Key:
        """The place of a result that is there now: behind all others."""
        at, step_id = key
        last, last_id = self._latest
        if key <= self._latest:
            at = last + (step_id < last_id)
        self._latest = at, step_id
        return self._latest

    def id_after(self, drawn: int, awaited: str | None) -> int:
        """The id after `drawn`, but none that the result of a workflow draws late.

        That of the workflow `awaited`, if its number is the next one.
        """
        step_id, late = drawn + 1, self._record.late
        while step_id in late and late[step_id] != awaited:
            step_id += 1
        self._begun[step_id] = self._start_ms()
        self._end_patience()
        self.settling.begin_operation()
        return step_id

    def start_of(self, step_id: int) -> int | None:
        """When the id of an operation was drawn, for its record."""
        return self._begun.get(step_id)

    def hold(self) -> None:
        """Give out nothing before ``release``: the place of a result is not known yet."""
        self._held += 1

    def release(self) -> None:
        self._held -= 1
        self._go_on()

    def expect(self, key: Key) -> None:
        """Give out nothing of a later place before this result comes or is withdrawn."""
        self._unrecorded.add(key)
        heapq.heappush(self._expected, key)

    def withdraw(self, key: Key) -> None:
        """This result does not come."""
        self._unrecorded.discard(key)
        self._go_on()

    def withdraw_step(self, step_id: int) -> None:
        """The recorded result of this step is not asked for."""
        self._record.remove_step(step_id)
        self._go_on()

    def place(self, key: Key, checkpoint: Checkpoint | None = None) -> Program[None]:
        """Wait for the place of a result; of one that a replay took from the history, too."""
        if not self._is_known:
            if checkpoint is not None:
                self._asked[checkpoint.function_id] = checkpoint
            yield from self._learn()
        yield Place(self, key)
        if self._is_open:
            self._execution.raise_if_stopped()

    def open(self) -> None:
        """Let all results come at once: the execution stops. Any thread may call it."""
        self._is_open = True
        self._soon(self._go_on)

    def forget_soon(self, key: Key) -> None:
        """``forget``, on any thread."""
        self._soon(self.forget, key)

    async def wait(self, key: Key) -> None:
        if self._is_open:
            self.forget(key)
            return
        future = self._waiting[key] = self._loop.create_future()
        heapq.heappush(self._asking, key)
        self._unrecorded.discard(key)
        self._end_patience()
        self._go_on()
        try:
            await future
        finally:
            self.settling.end_operation()
            if self._waiting.pop(key, None) is not None:  # the task was cancelled
                self.forget(key)

    def _start_ms(self) -> int:
        """The start of what begins now: before the results that wait, after those given out."""
        now = self._execution.now_ms()
        following = [
            each
            for each in (
                _first(self._asking, self._waiting),
                _first(self._expected, self._unrecorded),
            )
            if each is not None
        ]
        return max(self._given[0], min(now, min(following)[0] - 1)) if following else now

    def _learn(self) -> Program[None]:
        """Read what is recorded and not given out yet."""
        while not self._is_known:
            yield self._learning.perform(Reading(self._execution.history.untaken()), self._know)

    def _know(self, untaken: list[Checkpoint]) -> None:
        self._is_known = True
        rows = {each.function_id: each for each in untaken} | self._asked
        self._record, self._asked = BranchRecord(rows.values()), {}
        self._latest = max(self._latest, self._record.last)

    def _go_on(self) -> None:
        if self._waiting and not self._is_turning:
            self._is_turning = True
            self.settling.stir()
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """One turn of the loop: give out the next result if the branches are quiet."""
        if self.settling.turn() or self._is_open:
            if (key := self._next()) is None:
                self._is_turning = False
                return
            self._give(key)
        if self._waiting:
            self._loop.call_soon(self._turn)
        else:
            self._is_turning = False

    def _next(self) -> Key | None:
        """The result that comes next, if it is there and nothing must begin before."""
        key = _first(self._asking, self._waiting)
        if key is None or self._is_open:
            return key
        expected = _first(self._expected, self._unrecorded)
        if self._held or (expected is not None and expected < key):
            return None
        following = self._record.first
        if following is not None and following < key:
            self._be_patient(following, READING_S if self._has_begun(following[1]) else PATIENCE_S)
            return None
        if not self._has_begun(self._record.drawn_before(key)):
            self._be_patient(key, PATIENCE_S)
            return None
        return key

    def _has_begun(self, step_id: int) -> bool:
        drawn = max(self._execution.counter, self._waived)
        while drawn < step_id and drawn + 1 in self._record.late:
            drawn += 1
        return drawn >= step_id

    def _give(self, key: Key) -> None:
        self.settling.stir()
        self._given = max(self._given, key)
        self._latest = max(self._latest, key)  # the end of a sleep is no result
        future = self._waiting.pop(key)
        self.forget(key)
        if not future.done():
            future.set_result(None)

    def forget(self, key: Key) -> None:
        """This result is given out, or nobody waits for it."""
        self._unrecorded.discard(key)
        self._record.remove(key)
        step_id = key[1]
        self._begun.pop(step_id, None)
        if step_id in self._record.late:
            if self._has_begun(step_id):
                self._execution.pass_id(step_id)
            del self._record.late[step_id]
        self._end_patience()
        self._go_on()

    def _be_patient(self, key: Key, seconds: float) -> None:
        """Wait for what is recorded as long as the run did; other code may never ask for it."""
        if self._patience is None:
            gap = (key[0] - self._given[0]) / 1000 if self._given[0] else 0
            self._ticks = int((seconds + min(max(gap, 0), LONGEST_GAP_S)) / TICK_S)
            self._patience = self._loop.call_later(TICK_S, self._tick)

    def _end_patience(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _tick(self) -> None:
        self._ticks -= 1
        self._patience = None
        if self._ticks > 0:
            self._patience = self._loop.call_later(TICK_S, self._tick)
            return
        key, following = _first(self._asking, self._waiting), self._record.first
        if key is None:
            return
        if following is not None and following < key:
            self._record.remove(following)
        else:
            self._waived = max(self._waived, self._record.drawn_before(key))
        self._go_on()

    def _soon(self, function: object, *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)  # type: ignore[arg-type]
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more


def _first(heap: list[Key], wanted: Container[Key]) -> Key | None:
    """The first wanted key of a heap; others before it are removed."""
    while heap and heap[0] not in wanted:
        heapq.heappop(heap)
    return heap[0] if heap else None
