"""The port to a tracer. The engine opens spans if it has a tracer, and none otherwise."""

from __future__ import annotations

import sys
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol

from dboshub.workflows.engine.identity import Identity

# The workflow attribute that carries a trace to the process that runs the workflow.
TRACE_ATTRIBUTE = "dbos.otelContext"


def carrier_of(given: Any) -> dict[str, Any] | None:
    """What names a trace to another process: of a context of OpenTelemetry, or as it is given.

    None if it names no trace. Raises TypeError for anything else.
    """
    if given is None:
        return None
    api = sys.modules.get("opentelemetry.context")
    if api is None or not isinstance(given, api.Context):
        return {**given} or None
    # Whoever has a context has OpenTelemetry; the engine itself does without it.
    w3c = import_module("opentelemetry.trace.propagation.tracecontext")
    carrier: dict[str, Any] = {}
    w3c.TraceContextTextMapPropagator().inject(carrier, context=given)
    return carrier or None


class Span(Protocol):
    """A span that is open. As a context manager it ends with the block, and records its error."""

    @property
    def trace_id(self) -> str:
        """The id of its trace, in hexadecimal."""

    def activate(self) -> tuple[Any, Any]:
        """Make this the current span.

        Return (variable, token): ``variable.reset(token)`` restores the previous span.
        """

    def failed(self, error: BaseException) -> None:
        """Record the error that the span ends with, although none is raised through it."""

    def retried(self, attempt: int, error: BaseException, pause: float) -> None:
        """Record a failed attempt, counted from zero; the next follows after `pause` seconds."""

    def rolled_back(self, pause: float) -> None:
        """Record a transaction that was rolled back and starts again after `pause` seconds."""

    def __enter__(self) -> Span: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


class TracedExecution(Protocol):
    """What a span says of the workflow it belongs to."""

    workflow_id: str
    queue_name: str | None
    identity: Identity


class Tracer(Protocol):
    """Opens spans, and carries traces from the caller to the process that runs the workflow."""

    def current_trace(self) -> Any:
        """The trace that the current code belongs to."""

    def trace_from_carrier(self, carrier: str | None) -> Any:
        """The trace that a carrier names (a JSON object); a new trace without a carrier."""

    def start_span(
        self, execution: TracedExecution, name: str, kind: str | None, trace: Any = None
    ) -> Span:
        """Open a span in `trace`; without one, below the current span."""
