"""Effects of the programs that wait for the order of branches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dboshub.workflows.engine.programs import Program, run, run_async
from dboshub.workflows.engine.records import Checkpoint
from dboshub.workflows.engine.runtime.branch_record import Key

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.branch_order import BranchOrder
    from dboshub.workflows.engine.runtime.late_ids import LateIds


class Place:
    """The effect of waiting for the place of a result; one that blocks is given out at once."""

    __slots__ = ("_key", "_order")

    def __init__(self, order: BranchOrder, key: Key) -> None:
        self._order = order
        self._key = key

    def block(self) -> None:
        self._order.settling.end_operation()
        self._order.forget_soon(self._key)

    async def wait(self) -> None:
        await self._order.wait(self._key)


class EarlierLateIds:
    """The effect of waiting until results with lower late ids are recorded; a thread does not."""

    __slots__ = ("_late_ids", "_step_id")

    def __init__(self, late_ids: LateIds, step_id: int) -> None:
        self._late_ids = late_ids
        self._step_id = step_id

    def block(self) -> None:
        return None

    async def wait(self) -> None:
        await self._late_ids.wait_for_earlier(self._step_id)


class Reading:
    """The effect of running a program, so that tasks that ask at once share it."""

    __slots__ = ("_program",)

    def __init__(self, program: Program[list[Checkpoint]]) -> None:
        self._program = program

    def block(self) -> list[Checkpoint]:
        return run(self._program)

    async def wait(self) -> list[Checkpoint]:
        return await run_async(self._program)
