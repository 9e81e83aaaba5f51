"""The executions that run in this process, by workflow id."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from dboshub.workflows.engine.runtime.activity import Activities
from dboshub.workflows.engine.runtime.ownership import Ownership
from dboshub.workflows.engine.runtime.slots import Slots
from dboshub.workflows.engine.waiting.waits import Waits

OWNERSHIP_CHUNK = 1_000
Owners = Callable[[Iterable[str]], dict[str, tuple[str, str | None]]]


class RunningExecution(Protocol):
    """What the table needs of an execution."""

    workflow_id: str
    owner: str
    queue_name: str | None
    partition_key: str | None
    ownership: Ownership
    activities: Activities
    loop: asyncio.AbstractEventLoop | None
    is_ending: bool

    def interrupt(self) -> None: ...
    def revoke(self, status: str | None) -> None: ...
    def invalidate_ownership(self) -> None: ...


class Executions:
    """Table of running executions. Iterating gives a snapshot; any thread may call."""

    def __init__(self, slots: Slots, waits: Waits, owners: Owners) -> None:
        """`owners` reads status and owner token of workflows from the database."""
        self._slots = slots
        self._waits = waits
        self._owners = owners
        self._lock = threading.Lock()
        self._by_id: dict[str, RunningExecution] = {}
        self._token_prefix = ""
        self.is_draining = False
        self.is_handing_back = False

    def __iter__(self) -> Iterator[RunningExecution]:
        with self._lock:
            return iter([*self._by_id.values()])

    def __len__(self) -> int:
        return len(self._by_id)

    def find(self, workflow_id: str) -> RunningExecution | None:
        """The execution of a workflow in this process, or None."""
        return self._by_id.get(workflow_id)

    def is_ending(self, workflow_id: str) -> bool:
        """Whether a body has ended here: ``remove`` wakes who waits once all else is done."""
        execution = self._by_id.get(workflow_id)
        return execution is not None and execution.is_ending

    def add(self, execution: RunningExecution) -> None:
        """Count an execution as running; it takes a slot. Adding it again changes nothing."""
        with self._lock:
            if self._by_id.get(execution.workflow_id) is execution:
                return
            self._by_id[execution.workflow_id] = execution
        self._slots.admit(execution)
        if self.is_draining:
            execution.interrupt()
        if not execution.owner.startswith(self._token_prefix):
            execution.revoke(None)  # its incarnation was declared dead before it was admitted

    def expect_owners(self, token_prefix: str) -> None:
        """Stop every execution, now and those still to come, whose token begins otherwise."""
        self._token_prefix = token_prefix
        for execution in self:
            if not execution.owner.startswith(token_prefix):
                execution.revoke(None)

    def remove(self, execution: RunningExecution) -> None:
        """Forget an execution that has ended, release its slot and wake who waits for it."""
        with self._lock:
            if self._by_id.get(execution.workflow_id) is execution:
                del self._by_id[execution.workflow_id]
        self._slots.dismiss(execution)
        self._waits.wake("result", execution.workflow_id)

    def count_on_queue(self, queue_name: str, partition_key: str | None = None) -> int:
        """Number of claimed workflows of a queue, or of one partition; those that wait count."""
        return sum(
            1
            for each in self
            if each.queue_name == queue_name
            and (partition_key is None or each.partition_key == partition_key)
        )

    def revoke(self, ids: Sequence[str], status: str | None) -> None:
        """Stop the local executions of workflows whose rows now belong to somebody else."""
        for workflow_id in ids:
            execution = self._by_id.get(workflow_id)
            if execution is not None:
                execution.revoke(status)

    def invalidate(self, workflow_id: str) -> None:
        """Make a local execution read its row: some process changed the workflow."""
        execution = self._by_id.get(workflow_id)
        if execution is not None:
            execution.invalidate_ownership()

    def remove_stranded(self) -> list[RunningExecution]:
        """Forget the executions whose event loop is closed, which will never end; return them."""
        stranded = [each for each in self if each.loop is not None and each.loop.is_closed()]
        for each in stranded:
            self.remove(each)
        return stranded

    def verify_ownership(self) -> None:
        """Verify all executions, one query per OWNERSHIP_CHUNK; stop those that lost their row."""
        running = [*self]
        for start in range(0, len(running), OWNERSHIP_CHUNK):
            chunk = running[start : start + OWNERSHIP_CHUNK]
            readings = [each.ownership.begin_reading() for each in chunk]
            rows = self._owners([each.workflow_id for each in chunk])
            for each, reading in zip(chunk, readings, strict=True):
                status, owner = rows.get(each.workflow_id, (None, None))
                is_running = self._by_id.get(each.workflow_id) is each
                if owner == each.owner:
                    each.ownership.confirm(reading)
                elif is_running:
                    each.revoke(status)

    def hand_back(self) -> list[tuple[str, str]]:
        """Id and token of each unfinished execution; none records an error from now on.

        What the parts that close next raise into their steps is no error of the steps.
        """
        self.drain()
        self.is_handing_back = True
        return [(each.workflow_id, each.owner) for each in self]

    def await_idle(self, seconds: float) -> None:
        """Block until nothing runs, at most so many seconds.

        Tasks of the event loop that this thread blocks cannot go on, and are not waited for.
        """
        deadline = time.monotonic() + seconds
        blocked = asyncio._get_running_loop()
        while time.monotonic() < deadline and any(
            blocked is None or each.loop is not blocked for each in self
        ):
            time.sleep(0.01)

    def drain(self) -> None:
        """Interrupt every execution, now and those still to come, at the end of its step."""
        self.is_draining = True
        for execution in self:
            execution.interrupt()
