"""When a workflow that waits leaves memory, and what it then waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from dboshub.workflows.engine.errors import WorkflowSuspended
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.suspension.branches import is_alone
from dboshub.workflows.engine.suspension.records import (
    EVENT,
    MESSAGE,
    MUST_EXIST,
    RESULT,
    Departure,
    WakeKey,
)
from dboshub.workflows.engine.waiting.waits import KNOWN, Waiter

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.engine import Engine
    from dboshub.workflows.engine.runtime.execution import Execution

# A replay reads all checkpoints: the wait must be longer by the threshold for each so many steps.
STEPS_PER_THRESHOLD = 1_000
# A sleep stays for a moment: who has just started a workflow may look at it, or cancel it.
SLEEP_STAYS_S = 5.0
# What waits for more stays in memory, as does what has longer keys: an index holds them.
MAX_KEYS = 100
MAX_KEY_BYTES = 1_000


class Suspension(Protocol):
    """Decides for the executions of one process whether they leave memory."""

    def admits(self, choice: bool | None, queue_name: str | None) -> bool:
        """Whether a workflow may leave memory; `choice` is what its decorator says."""

    def wait(
        self, execution: Execution, waiter: Waiter, until_ms: int | None, deadline: float | None
    ) -> Program[bool]:
        """Wait for a waiter until engine time `until_ms`; False at `deadline` (monotonic seconds).

        Raises WorkflowSuspended if the workflow leaves memory.
        """

    def suspend(self, execution: Execution) -> None:
        """End an execution whose body has ended by WorkflowSuspended."""


class StayInMemory:
    """A ``Suspension`` that keeps all workflows in memory."""

    def admits(self, choice: bool | None, queue_name: str | None) -> bool:
        return False

    def wait(
        self, execution: Execution, waiter: Waiter, until_ms: int | None, deadline: float | None
    ) -> Program[bool]:
        woken: bool = yield execution.engine.waiting(waiter, deadline)
        return woken

    def suspend(self, execution: Execution) -> None:
        execution.engine.executions.remove(execution)


class SuspendAfter:
    """A ``Suspension`` by which workflows that wait longer than `seconds` leave memory."""

    def __init__(self, seconds: float, engine: Engine, write: Callable[[Execution], None]) -> None:
        """`write` writes an execution's departure."""
        self._seconds = seconds
        self._engine = engine
        self._clock = engine.clock
        self._write = write

    def admits(self, choice: bool | None, queue_name: str | None) -> bool:
        if choice is not None:
            return choice
        return queue_name is None or not self._engine.has_limits(queue_name)

    def wait(
        self, execution: Execution, waiter: Waiter, until_ms: int | None, deadline: float | None
    ) -> Program[bool]:
        leaves_at = self._leaves_at(execution, waiter, until_ms)
        while True:
            first = _earliest(deadline, leaves_at)
            woken: bool = yield execution.engine.waiting(waiter, first)
            if woken or leaves_at is None or self._clock.monotonic() < leaves_at:
                return woken
            leaves_at = self._leave(execution, waiter, until_ms)

    def _leaves_at(
        self, execution: Execution, waiter: Waiter, until_ms: int | None
    ) -> float | None:
        """When a wait that begins now leaves memory, in monotonic seconds; None: never."""
        keys = wake_keys(waiter) if execution.can_suspend else None
        if keys is None or not self._is_long(execution, keys, until_ms):
            return None
        # How long a sleep takes is known. What else is waited for may come soon.
        stays_s = self._least_s(execution) if keys else min(self._seconds, SLEEP_STAYS_S)
        return self._clock.monotonic() + stays_s

    def _leave(self, execution: Execution, waiter: Waiter, until_ms: int | None) -> float | None:
        """Raise WorkflowSuspended, or return when to ask again; None: not in this wait."""
        keys = wake_keys(waiter)
        if keys is None or not self._is_long(execution, keys, until_ms):
            return None
        if not is_alone(execution):
            return self._clock.monotonic() + self._least_s(execution)
        workflow_id, owner = execution.workflow_id, execution.owner
        execution.departure = Departure(workflow_id, owner, until_ms, keys)
        execution.stop(lambda: WorkflowSuspended(workflow_id))
        execution.raise_if_stopped()
        return None

    def suspend(self, execution: Execution) -> None:
        self._write(execution)

    def _is_long(
        self, execution: Execution, keys: tuple[WakeKey, ...], until_ms: int | None
    ) -> bool:
        if until_ms is None:
            return bool(keys)
        return until_ms - self._clock.now_ms() > self._least_s(execution) * 1_000

    def _least_s(self, execution: Execution) -> float:
        return self._seconds * max(1.0, execution.counter / STEPS_PER_THRESHOLD)


def wake_keys(waiter: Waiter) -> tuple[WakeKey, ...] | None:
    """What a waiter waits for beside time; None if that cannot be found in the tables."""
    known = {name for kind, name in waiter.keys if kind == KNOWN}
    found: dict[WakeKey, None] = {}
    for kind, name in waiter.keys:
        match kind:
            case "message_sent" | "event_set":
                found[_pair(MESSAGE if kind == "message_sent" else EVENT, name)] = None
            case "result":
                found[WakeKey(RESULT, str(name), MUST_EXIST if name in known else "")] = None
            case "message" | "event" | "execution" | "known":
                pass  # notices of the same, and what concerns the execution alone
            case _:
                return None
    is_small = all(sum(len(part.encode()) for part in key) < MAX_KEY_BYTES for key in found)
    return tuple(found) if is_small and len(found) <= MAX_KEYS else None


def _earliest(deadline: float | None, other: float | None) -> float | None:
    return min((each for each in (deadline, other) if each is not None), default=None)


def _pair(kind: str, name: Any) -> WakeKey:
    target, rest = name
    return WakeKey(kind, str(target), str(rest))
