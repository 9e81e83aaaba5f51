"""Streams: values are appended per key, and read from any offset while others are written."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncGenerator, Generator
from math import inf
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSStreamNondeterminismError,
    DBOSStreamTimeoutError,
)
from dboshub.workflows.engine.journal.writes import StreamWrite
from dboshub.workflows.engine.operations.overlapping import alone
from dboshub.workflows.engine.programs import Program, refuse_in_loop, run, run_async
from dboshub.workflows.engine.records import TERMINAL
from dboshub.workflows.engine.runtime.activity import CurrentActivity
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.step_results import run_as_step
from dboshub.workflows.engine.serialization import PORTABLE, WorkflowSerializationFormat
from dboshub.workflows.engine.unserializable import Subject
from dboshub.workflows.engine.waiting.waits import Key

WRITE = "DBOS.writeStream"
CLOSE = "DBOS.closeStream"
READ = "DBOS.readStream"
READ_AT = "DBOS.readStreamOffset"
CLOSED = "__DBOS_STREAM_CLOSED__"
PREFETCH = 100
MAX_MARK = 200  # characters of an end mark in any format

Value = tuple[str, str | None]  # text and serialization
END: Value = (json.dumps(CLOSED), PORTABLE)  # portable, so that every language reads it


def is_end(value: Any) -> bool:
    """Whether a value is the end mark. It may be any object: its own ``==`` may answer anything."""
    return isinstance(value, str) and value == CLOSED


def write_stream(
    key: str, value: Any, serialization: WorkflowSerializationFormat | None = None
) -> Program[None]:
    """Append a value: exactly once from a workflow body, at least once from a step."""
    execution, step_id, is_step = _execution_and_step("DBOS.write_stream")
    validation.text("the key of a stream", key)
    name = execution.engine.codec.format_name(serialization, execution.serialization)
    text = execution.engine.codec.encode(value, name, Subject(f"the value for stream {key!r}"))
    return _append(execution, step_id, key, (text, name), WRITE if is_step else None)


def close_stream(key: str) -> Program[None]:
    """Append the end mark, at which readers stop."""
    execution, step_id, is_step = _execution_and_step("DBOS.close_stream")
    validation.text("the key of a stream", key)
    return _append(execution, step_id, key, END, CLOSE if is_step else None)


def _execution_and_step(call: str) -> tuple[Execution, int, bool]:
    """The execution, the step id to record, and whether the write is a step of its own."""
    current = frame()
    if current is None:
        raise DBOSException(f"{call}() must be called from within a workflow or step")
    if current.step is not None:
        return current.execution, current.step.step_id, False
    return current.execution, current.execution.next_id(), True


def _append(
    execution: Execution, step_id: int, key: str, value: Value, step_name: str | None
) -> Program[None]:
    step = None
    if step_name is not None:
        if (yield from execution.checkpoint_of(step_id, step_name, lambda: value)) is not None:
            execution.raise_if_stopped()
            return
        yield from execution.verify_can_continue()
        now = execution.engine.clock.now_ms()
        step = execution.step_write(step_id, step_name, started_at=now, completed_at=now)
    yield from execution.commit(
        StreamWrite(
            workflow_id=execution.workflow_id,
            owner=execution.owner,
            function_id=step_id,
            key=key,
            value=value[0],
            serialization=value[1],
            step=step,
        )
    )


class Reader:
    """Reads a stream value by value. In a workflow body each value that is read is a step."""

    def __init__(
        self,
        engine: Engine,
        workflow_id: str,
        key: str,
        offset: int,
        timeout_seconds: float | None,
        polling_interval_sec: float | None = None,
    ) -> None:
        """`polling_interval_sec` has no effect: one poll serves all readers of the process."""
        current = frame()
        validation.polling_interval(polling_interval_sec)
        self._engine = engine
        self._workflow_id = validation.text("a workflow id", workflow_id)
        self._key = validation.text("the key of a stream", key)
        if type(offset) is not int:
            raise DBOSException(f"the offset is {offset!r:.100}: give a whole number")
        self._offset = max(0, offset)
        if timeout_seconds is not None and not timeout_seconds >= 0:
            raise ValueError(f"timeout_seconds must not be negative, got {timeout_seconds}")
        self._timeout_s = None if timeout_seconds == inf else timeout_seconds
        self._execution = (
            current.execution if current is not None and current.step is None else None
        )
        self._prefetched: deque[Value] = deque()
        self._reads_one_value = False

    def values(self) -> Generator[Any, None, None]:
        """Yield values until the stream ends; blocks until the next one is written.

        Raises RuntimeError on the thread of a running event loop, unless a client reads.
        """
        if self._engine.runs_workflows:
            refuse_in_loop("read_stream")
        while (found := run(self._next())) is not None:
            yield found[0]

    async def values_async(self) -> AsyncGenerator[Any, None]:
        """Yield values until the stream ends; awaits the next one."""
        while (found := await run_async(self._next())) is not None:
            yield found[0]

    def value(self) -> Program[Any]:
        """The value at the offset, as soon as it is written. In a workflow body one step."""
        execution, read = self._execution, self._read_one()
        if execution is not None:
            read = run_as_step(execution, execution.next_id(), READ_AT, read)
        return self._before_its_end(read)

    def _read_one(self) -> Program[Any]:
        self._reads_one_value = True
        return self._engine.codec.decode(*(yield from self._await_value()))

    def _before_its_end(self, read: Program[Any]) -> Program[Any]:
        """The value, unless it is the end mark, which is recorded as such."""
        value = yield from read
        if is_end(value):
            raise DBOSStreamTimeoutError(self._workflow_id, self._key).advised(
                f"it ended before offset {self._offset}"
            )
        return value

    def _next(self) -> Program[tuple[Any] | None]:
        """A tuple of the next value, or None at the end."""
        reader = self._execution.workflow_id if self._execution is not None else ""
        with alone(self._execution, "stream", DBOSStreamNondeterminismError(reader, self._key)):
            value = yield from self._next_value()
        self._offset += 1
        decoded = self._engine.codec.decode(*value)
        return None if is_end(decoded) else (decoded,)

    def _next_value(self) -> Program[Value]:
        execution = self._execution
        step_id = execution.next_id() if execution is not None else 0
        value = yield from self._recorded(step_id)
        if value is None:
            began = self._engine.clock.now_ms()
            try:
                value = yield from self._await_value()
            except DBOSStreamTimeoutError as error:
                if execution is not None:
                    write = execution.error_write(step_id, READ, error, started_at=began)
                    yield from execution.commit(write)
                raise
            yield from self._record(step_id, value)
        return value

    def _recorded(self, step_id: int) -> Program[Value | None]:
        execution = self._execution
        if execution is None:
            return None
        checkpoint = yield from execution.checkpoint_of(step_id, READ)
        if checkpoint is None:
            yield from execution.verify_can_continue()
            return None
        execution.raise_if_stopped()
        if checkpoint.child_id not in (None, self._workflow_id):
            raise DBOSStreamNondeterminismError(
                execution.workflow_id,
                self._key,
                f"step {step_id} read a stream of {checkpoint.child_id} when it was recorded, and "
                f"now reads one of {self._workflow_id}",
            )
        if checkpoint.error is not None:
            execution.replay(checkpoint)
        return checkpoint.output or json.dumps(CLOSED), checkpoint.serialization

    def _record(self, step_id: int, value: Value) -> Program[None]:
        execution, codec = self._execution, self._engine.codec
        if execution is not None:
            now = self._engine.clock.now_ms()
            if value == END:
                value = (codec.encode(CLOSED), codec.name)
            yield from execution.commit(
                execution.step_write(
                    step_id,
                    READ,
                    output=value[0],
                    serialization=value[1],
                    started_at=now,
                    completed_at=now,
                )
            )

    def _await_value(self) -> Program[Value]:
        if self._prefetched:
            return self._prefetched.popleft()
        engine, until = self._engine, None
        if self._timeout_s is not None:
            until = engine.clock.now_ms() + int(self._timeout_s * 1000)
        with engine.waits.register(*self._keys()) as waiter:
            while True:
                if (yield from self._fetch()):
                    return self._prefetched.popleft()
                if until is not None and engine.clock.now_ms() >= until:
                    raise DBOSStreamTimeoutError(self._workflow_id, self._key, self._timeout_s)
                if self._execution is not None:
                    what = CurrentActivity("stream", self._key, self._workflow_id)
                    yield from self._execution.wait(waiter, until, what)
                else:
                    yield engine.pause(waiter, until)

    def _fetch(self) -> Program[bool]:
        """Read the next values; after the last one of a workflow that has ended, the end mark."""
        has_ended = (yield from self._status()) in TERMINAL
        rows = yield from self._rows()
        if not rows and not has_ended and self._reads_one_value and (yield from self._has_end()):
            has_ended = True
            rows = yield from self._rows()
        self._prefetched.extend(self._before_end([(text, form) for _, text, form in rows]))
        if not rows and has_ended:
            self._prefetched.append(END)
        return bool(self._prefetched)

    def _before_end(self, values: list[Value]) -> list[Value]:
        """The values before the end mark, or that alone: a rewind may delete it before its turn."""
        for place, (text, serialization) in enumerate(values):
            if len(text) <= MAX_MARK and self._is_mark(text, serialization):
                return values[: place or 1]
        return values

    def _is_mark(self, text: str, serialization: str | None) -> bool:
        try:
            return is_end(self._engine.codec.decode(text, serialization))
        except Exception:
            return False  # the error is raised when it is this value's turn

    def _rows(self) -> Program[list[tuple[int, str, str | None]]]:
        store = self._engine.store
        rows: list[tuple[int, str, str | None]] = yield self._engine.query(
            lambda: store.stream(self._workflow_id, self._key, offset=self._offset, limit=PREFETCH)
        )
        return rows

    def _has_end(self) -> Program[bool]:
        """Whether the stream was closed before the offset, so that no value will be there."""
        store = self._engine.store
        last = yield self._engine.query(lambda: store.stream_end(self._workflow_id, self._key))
        return last is not None and is_end(self._engine.codec.decode(*last))

    def _status(self) -> Program[str]:
        # Read the status before the values: so no value of a workflow that ended is missed.
        store = self._engine.store
        rows = yield self._engine.query(lambda: store.owners([self._workflow_id]))
        if self._workflow_id not in rows:
            raise DBOSNonExistentWorkflowError("target", self._workflow_id)
        status: str = rows[self._workflow_id][0]
        return status

    def _keys(self) -> list[Key]:
        keys: list[Key] = [
            ("stream", f"{self._workflow_id}::{self._key}"),
            ("stream_at", (self._workflow_id, self._key, self._offset)),
            ("result", self._workflow_id),
        ]
        if self._execution is not None:
            keys.append(self._execution.wake_key)
        return keys
