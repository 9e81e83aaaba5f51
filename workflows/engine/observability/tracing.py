"""Traces of what runs. The engine opens spans if it was given a tracer, and else does nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.programs import Program

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.execution import Execution

TRACE = "dbos.otelContext"  # the attribute that carries a trace to the process that runs it
# Public calls that are spans of their own within a workflow.
CALLS = {
    *("send", "send_bulk", "recv", "sleep", "set_event", "get_event"),
    *("write_stream", "close_stream"),
}
# The same of calls by the names of their steps.
STEPS = {
    f"DBOS.{name}": name
    for name in (
        *("createSchedule", "listSchedules", "getSchedule", "pauseSchedule", "resumeSchedule"),
        *("deleteSchedule", "debounce_delayed_workflow"),
    )
}


class Span(Protocol):
    """Something under way. Leaving it as a block ends it, with the error that was raised."""

    @property
    def trace_id(self) -> str:
        """The id of its trace, in hexadecimal."""

    def current(self) -> tuple[Any, Any]:
        """Make it the current span; its first value, given the second, makes it so no more."""

    def failed(self, error: BaseException) -> None:
        """It ends with an error, though none is raised through it."""

    def retried(self, attempt: int, error: BaseException, pause: float) -> None:
        """An attempt, counted from zero, failed; after `pause` seconds comes the next."""

    def rolled_back(self, pause: float) -> None:
        """A transaction is begun again after `pause` seconds."""

    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class Tracer(Protocol):
    """Opens spans, and hands traces from where something is asked for to where it runs."""

    def here(self) -> Any:
        """The trace that the current code belongs to."""

    def carried(self, carrier: str | None) -> Any:
        """The trace that a carrier names, as JSON; of nothing, a new one."""

    def begin(self, execution: Execution, name: str, kind: str | None, within: Any = None) -> Span:
        """Open a span within a trace; without one, within that of the current code."""


Opened = AbstractContextManager["Span | None"]
_NOTHING: Opened = nullcontext()


def workflow_span(execution: Execution) -> Opened:
    """The span of one run of a workflow."""
    tracer, run = execution.engine.tracer, execution.run
    if tracer is None:
        return _NOTHING
    return tracer.begin(execution, run.name, "workflow", run.trace)


def step_span(execution: Execution, name: str) -> Opened:
    """The span of a step, with all its attempts."""
    tracer = execution.engine.tracer
    return _NOTHING if tracer is None else tracer.begin(execution, name, "step")


def traced(name: str, define: Callable[..., Program[Any]]) -> Callable[..., Program[Any]]:
    """Let a public call be a span of its own where a workflow makes it."""

    @functools.wraps(define)
    def begin(*args: Any, **kwargs: Any) -> Program[Any]:
        program, frame = define(*args, **kwargs), FRAME.get()
        return program if frame is None else spanned(frame.execution, name, program)

    return begin


def spanned(execution: Execution, name: str, program: Program[Any]) -> Program[Any]:
    """A program as a span of its own."""
    tracer = execution.engine.tracer
    return program if tracer is None else _spanned(tracer, execution, name, program)


def _spanned(
    tracer: Tracer, execution: Execution, name: str, program: Program[Any]
) -> Program[Any]:
    with tracer.begin(execution, name, None):
        return (yield from program)
