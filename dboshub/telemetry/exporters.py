"""Where spans and logs go: to the application's own provider, and to the OTLP endpoints named."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry._logs import get_logger_provider
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from dboshub.workflows.engine.observability.logs import WorkflowContext

SENDING_S = 5  # as long as a collector may take for one batch


class Relay(SpanProcessor):
    """Passes spans on to whoever is launched: a provider never lets go of a processor."""

    def __init__(self) -> None:
        self.targets: Sequence[SpanProcessor] = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        for target in self.targets:
            target.on_start(span, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        for target in self.targets:
            target.on_end(span)

    def release(self) -> list[Callable[[], None]]:
        """Pass on nothing more; what is called then sends what is left, and ends."""
        targets, self.targets = self.targets, ()
        return [target.shutdown for target in targets]

    def shutdown(self) -> None:
        for end in self.release():
            end()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        done = [target.force_flush(timeout_millis) for target in self.targets]
        return all(done)


_relays: WeakKeyDictionary[TracerProvider, Relay] = WeakKeyDictionary()


def tracer_provider(name: str, attributes: Mapping[str, str]) -> tuple[TracerProvider, bool]:
    """The provider of this process, made now if the application has none; and whether it was."""
    found = trace.get_tracer_provider()
    if isinstance(found, TracerProvider):
        return found, False
    provider = TracerProvider(resource=_resource(name, attributes), shutdown_on_exit=False)
    trace.set_tracer_provider(provider)
    return provider, True


def relay_to(provider: TracerProvider, endpoints: Sequence[str]) -> Relay:
    """Send the provider's spans to these OTLP endpoints until the relay is shut down."""
    relay = _relays.get(provider)
    if relay is None:
        relay = _relays[provider] = Relay()
        provider.add_span_processor(relay)
    exporters = [OTLPSpanExporter(endpoint=each, timeout=SENDING_S) for each in endpoints]
    relay.targets = [BatchSpanProcessor(each) for each in exporters]
    return relay


class LogExport:
    """Sends what this package and ``DBOS.logger`` log to OTLP endpoints until it is closed.

    If the application has a provider of its own, they go there, too.
    """

    def __init__(
        self, name: str, attributes: Mapping[str, str], endpoints: Sequence[str], level: int
    ) -> None:
        self._provider = LoggerProvider(_resource(name, attributes), shutdown_on_exit=False)
        for endpoint in endpoints:
            exporter = OTLPLogExporter(endpoint=endpoint, timeout=SENDING_S)
            self._provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._handlers: list[Any] = []
        if endpoints:
            self._handlers.append(LoggingHandler(level=level, logger_provider=self._provider))
        if has_logger_provider():
            handler: Any = LoggingHandler(level=level, logger_provider=get_logger_provider())
            # The resource of that provider is the application's.
            handler.addFilter(_Attributes(attributes))
            self._handlers.append(handler)
        for each in self._handlers:
            each.addFilter(WorkflowContext())
            logging.getLogger("dboshub").addHandler(each)

    def close(self) -> None:
        for each in self._handlers:
            logging.getLogger("dboshub").removeHandler(each)
        self._provider.shutdown()


class _Attributes(logging.Filter):
    """Adds attributes to records, as far as records have none of these names."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        super().__init__()
        self._attributes = attributes

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in self._attributes.items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True


def has_logger_provider() -> bool:
    """Whether the application has a provider of its own for logs."""
    return isinstance(get_logger_provider(), LoggerProvider)


def _resource(name: str, attributes: Mapping[str, str]) -> Resource:
    return Resource.create({"service.name": name, **attributes})
