"""The part of the public class ``DBOS`` for traces, and for the context that code runs in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from dboshub.workflows.api.functions import ClassProperty
from dboshub.workflows.engine.context import FRAME, StepStatus
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.identity import current_identity
from dboshub.workflows.engine.observability.tracing import carrier_of
from dboshub.workflows.engine.options import OptionsBlock

if TYPE_CHECKING:
    from opentelemetry.context import Context

INSTALL = "DBOS.tracer needs OpenTelemetry: pip install 'dboshub[otel]'"


class OtelContext(TypedDict, total=False):
    """What names a trace to another process, as W3C has it."""

    traceparent: str
    tracestate: str


class PropagateOtelContext(OptionsBlock):
    """Whatever is started or enqueued in the block goes on with this trace, wherever it runs.

    It is that of a context of OpenTelemetry, or one that W3C's headers name. Without a context it
    is the current trace; there is none where OpenTelemetry is not installed.
    """

    def __init__(self, context: Context | OtelContext | None = None) -> None:
        super().__init__()
        self._is_current = context is None
        self._carrier = carrier_of(context)

    def changes(self) -> dict[str, Any]:
        if not self._is_current:
            return {"trace": self._carrier}
        api = sys.modules.get("opentelemetry.context")
        return {"trace": None if api is None else carrier_of(api.get_current())}


def _span() -> Any:
    """The current OpenTelemetry span, or None."""
    if "opentelemetry.trace" not in sys.modules:
        return None
    trace = _api()
    span = trace.get_current_span()
    return span if span.get_span_context().is_valid else None


def _api() -> Any:
    try:
        from opentelemetry import trace
    except ImportError as error:
        raise DBOSException(INSTALL) from error
    return trace


class DBOSTracer:
    """Spans by hand, beside those that workflows and steps are."""

    def start_span(self, attributes: Mapping[str, Any], parent: Any = None) -> Any:
        """Start a span named by the attribute ``name``; within `parent` or the current span."""
        trace = _api()
        told = {key: value for key, value in attributes.items() if key != "name"}
        within = None if parent is None else trace.set_span_in_context(parent)
        tracer = trace.get_tracer("dbos-tracer")
        return tracer.start_span(attributes.get("name", ""), context=within, attributes=told)

    def end_span(self, span: Any) -> None:
        span.end()

    def get_current_span(self) -> Any:
        """The current span, or None."""
        return _span()


@dataclass(frozen=True, slots=True, kw_only=True)
class DBOSContext:
    """Where code runs and on whose behalf, as it was when it was asked for."""

    workflow_id: str | None
    step_id: int | None
    step_status: StepStatus | None
    authenticated_user: str | None
    authenticated_roles: list[str] | None
    assumed_role: str | None


class TelemetryAPI:
    """The current span, spans by hand, and the current context."""

    span = ClassProperty(_span)
    tracer = DBOSTracer()

    @staticmethod
    def get_context() -> DBOSContext:
        """Where the calling code runs; outside a workflow the ids are None."""
        frame, identity = FRAME.get(), current_identity()
        status = frame.step if frame is not None else None
        return DBOSContext(
            workflow_id=frame.execution.workflow_id if frame is not None else None,
            step_id=status.step_id if status is not None else None,
            step_status=status,
            authenticated_user=identity.user,
            authenticated_roles=None if identity.roles is None else [*identity.roles],
            assumed_role=identity.assumed_role,
        )
