"""Spans of OpenTelemetry for what the engine runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from dboshub.workflows.engine.error_text import message_of, type_of
from dboshub.workflows.engine.errors import ExecutionInterrupted, ResourcesExhausted
from dboshub.workflows.engine.observability.tracing import TracedExecution
from dboshub.workflows.engine.runtime.engine import EngineSettings
from dboshub.workflows.engine.stored_json import readable_json

NAME = "dbos-tracer"
SEMCONV = {
    "operationUUID": "dbos.operation.workflow_id",
    "operationType": "dbos.operation.type",
    "applicationID": "dbos.application.id",
    "applicationVersion": "dbos.application.version",
    "executorID": "dbos.executor.id",
    "queueName": "dbos.queue.name",
    "authenticatedUser": "dbos.user.name",
    "authenticatedUserRoles": "dbos.user.roles",
    "authenticatedUserAssumedRole": "dbos.user.assumed_role",
}
_w3c = TraceContextTextMapPropagator()


class OtelTracer:
    """The engine's tracer. Attributes have their old names, or those of `semconv`."""

    def __init__(
        self,
        provider: TracerProvider,
        settings: EngineSettings,
        *,
        semconv: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> None:
        self._tracer = provider.get_tracer(NAME)
        self._names = SEMCONV if semconv else {}
        self._always = {**(more or {})} | self._named(
            applicationID=settings.application_id or None,
            applicationVersion=settings.application_version,
            executorID=settings.executor_id,
        )

    def current_trace(self) -> Context:
        return context.get_current()

    def trace_from_carrier(self, carrier: str | None) -> Context:
        return extracted(_carrier(carrier))

    def start_span(
        self, execution: TracedExecution, name: str, kind: str | None, trace: Context | None = None
    ) -> OtelSpan:
        identity = execution.identity
        attributes = self._named(
            operationType=kind,
            operationUUID=execution.workflow_id,
            queueName=execution.queue_name if kind == "workflow" else None,
            authenticatedUser=identity.user,
            authenticatedUserRoles=json.dumps([*identity.roles]) if identity.roles else "",
            authenticatedUserAssumedRole=identity.assumed_role,
        )
        return self._begin(name, attributes, trace)

    def request(
        self, name: str, headers: Mapping[str, str], **attributes: str | None
    ) -> OtelSpan | None:
        """Open the span of an HTTP request, within the trace that its headers name, if any.

        None where the framework, or what instruments it, has opened one.
        """
        if trace.get_current_span().get_span_context().is_valid:
            return None
        told = self._named(operationType="handler", **attributes)
        return self._begin(name, told, _w3c.extract(headers))

    def _begin(self, name: str, attributes: dict[str, Any], within: Context | None) -> OtelSpan:
        given = self._always | attributes
        return OtelSpan(self._tracer.start_span(name, context=within, attributes=given), within)

    def _named(self, **attributes: Any) -> dict[str, Any]:
        found = attributes.items()
        return {self._names.get(key, key): value for key, value in found if value is not None}


# The workflow goes on elsewhere.
_NO_FAILURE = (GeneratorExit, ExecutionInterrupted, ResourcesExhausted)


class OtelSpan:
    """One span, and how to make it the current one."""

    __slots__ = ("_failed", "_within", "raw")

    def __init__(self, raw: Span, within: Context | None) -> None:
        self.raw = raw
        self._within = within
        self._failed = False

    @property
    def trace_id(self) -> str:
        return trace.format_trace_id(self.raw.get_span_context().trace_id)

    def activate(self) -> tuple[type[_Current], object]:
        return _Current, context.attach(trace.set_span_in_context(self.raw, self._within))

    def failed(self, error: BaseException) -> None:
        self._failed = True
        self.raw.set_status(Status(StatusCode.ERROR, message_of(error)))
        try:
            self.raw.record_exception(error)
        except Exception:
            # Its message cannot be made; a span is no part of the workflow's path.
            told = {"exception.type": type_of(error), "exception.message": message_of(error)}
            self.raw.add_event("exception", told)

    def retried(self, attempt: int, error: BaseException, pause: float) -> None:
        told: dict[str, str | float] = {"error": message_of(error), "retryIntervalSeconds": pause}
        self.raw.add_event(f"Step attempt {attempt} failed", told)

    def rolled_back(self, pause: float) -> None:
        self.raw.add_event("Transaction Failure", {"retry_wait_seconds": pause})

    def __enter__(self) -> OtelSpan:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None and not self._failed:
            self.raw.set_status(StatusCode.OK)
        elif error is not None and not isinstance(error, _NO_FAILURE):
            self.failed(error)
        self.raw.end()


class _Current:
    """Ends what ``OtelSpan.current`` began, as a context variable would."""

    reset = staticmethod(context.detach)


def extracted(carrier: Mapping[str, str]) -> Context:
    return _w3c.extract(carrier, context=Context())


def _carrier(text: str | None) -> dict[str, str]:
    """Whoever enqueued it wrote this: what is no carrier names nothing."""
    found = readable_json(text)
    given = found.items() if isinstance(found, dict) else ()
    return {key: value for key, value in given if isinstance(value, str)}
