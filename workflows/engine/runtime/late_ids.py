"""Step ids that are drawn when a result is there, after those of what runs at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.waiting.waits import Key

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.execution import Execution

# In which a replay draws the step ids before a result; code that does not is not deterministic.
ORDER_WAIT_S = 10


class LateIds:
    """The ids of one execution whose turn comes after others are drawn."""

    __slots__ = ("_awaited", "_execution", "_unrecorded")

    def __init__(self, execution: Execution) -> None:
        self._execution = execution
        self._awaited: tuple[int, ...] = ()
        self._unrecorded: dict[int, asyncio.Future[None]] = {}  # by drawn id

    @property
    def are_awaited(self) -> bool:
        return bool(self._awaited)

    @property
    def last_recorded(self) -> int:
        """The greatest id of a step that is recorded and not replayed yet, or 0."""
        last_id = self._execution.history.last_id
        return max(last_id, *(each + 1 for each in self._awaited), 0)

    def draw_after(self, step_id: int, activity: CurrentActivity) -> Program[int]:
        """Draw a step id once all ids up to `step_id` are drawn, or after ORDER_WAIT_S seconds."""
        execution = self._execution
        engine = execution.engine
        if execution.counter < step_id:
            until = engine.clock.now_ms() + int(ORDER_WAIT_S * 1000)
            self._awaited += (step_id,)
            with engine.waits.register(self._key(step_id), execution.wake_key) as waiter:
                while execution.counter < step_id and (
                    yield from execution.wait(waiter, until, activity)
                ):
                    continue
            self._awaited = tuple(each for each in self._awaited if each != step_id)
        return execution.next_id()

    def drawn(self, step_id: int) -> None:
        """The id was drawn on an event loop: what has a later one is recorded after it.

        Else a replay that finds the later one alone could give this id to another operation.
        """
        if (loop := asyncio._get_running_loop()) is not None:
            self._unrecorded[step_id] = loop.create_future()

    def recorded(self, step_id: int) -> None:
        """What has the id is recorded, or will not be."""
        if (future := self._unrecorded.pop(step_id, None)) is not None and not future.done():
            future.set_result(None)

    async def wait_for_earlier(self, step_id: int) -> None:
        """Wait until the results with lower late ids are recorded."""
        while earlier := [each for at, each in self._unrecorded.items() if at < step_id]:
            await asyncio.wait(earlier)

    def wake(self) -> None:
        """Go on with what waits for ids that are drawn now."""
        reached = [each for each in self._awaited if each <= self._execution.counter]
        self._execution.engine.waits.wake_many(map(self._key, reached))

    def _key(self, step_id: int) -> Key:
        return ("step_id", (self._execution.workflow_id, step_id))
