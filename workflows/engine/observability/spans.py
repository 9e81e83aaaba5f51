"""Spans of workflows, steps and public calls; without a tracer these functions do nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.observability.tracing import Span, Tracer
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.execution import Execution

# Public calls that have a span of their own within a workflow.
CALLS = {
    "send",
    "send_bulk",
    "recv",
    "sleep",
    "set_event",
    "get_event",
    "write_stream",
    "close_stream",
}
# Recorded step names of calls that have a span of their own, and the span's name.
STEPS = {
    "DBOS.createSchedule": "createSchedule",
    "DBOS.listSchedules": "listSchedules",
    "DBOS.getSchedule": "getSchedule",
    "DBOS.pauseSchedule": "pauseSchedule",
    "DBOS.resumeSchedule": "resumeSchedule",
    "DBOS.deleteSchedule": "deleteSchedule",
    "DBOS.debounce_delayed_workflow": "debounce_delayed_workflow",
}

OpenSpan = AbstractContextManager["Span | None"]
_NO_SPAN: OpenSpan = nullcontext()


def workflow_span(execution: Execution) -> OpenSpan:
    """The span of one execution of a workflow."""
    tracer = execution.engine.tracer
    if tracer is None:
        return _NO_SPAN
    return tracer.start_span(execution, execution.name, "workflow", execution.trace)


def step_span(execution: Execution, name: str) -> OpenSpan:
    """The span of a step with all its attempts."""
    tracer = execution.engine.tracer
    return _NO_SPAN if tracer is None else tracer.start_span(execution, name, "step")


def traced(name: str, define: Callable[..., Program[Any]]) -> Callable[..., Program[Any]]:
    """Give a public call a span of its own where a workflow makes it."""

    @functools.wraps(define)
    def begin(*args: Any, **kwargs: Any) -> Program[Any]:
        program, frame = define(*args, **kwargs), FRAME.get()
        return program if frame is None else spanned(frame.execution, name, program)

    return begin


def spanned(execution: Execution, name: str, program: Program[Any]) -> Program[Any]:
    """Run a program in a span of its own."""
    tracer = execution.engine.tracer
    return program if tracer is None else _spanned(tracer, execution, name, program)


def _spanned(
    tracer: Tracer, execution: Execution, name: str, program: Program[Any]
) -> Program[Any]:
    with tracer.start_span(execution, name, None):
        return (yield from program)
