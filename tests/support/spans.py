"""The spans of a test, kept in memory by a provider that stands for the application's own."""

from __future__ import annotations

from functools import cache
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Spans:
    """Finished spans in the order of their ends."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        provider = trace.get_tracer_provider()
        if not isinstance(provider, TracerProvider):
            provider = TracerProvider(shutdown_on_exit=False)
            trace.set_tracer_provider(provider)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @classmethod
    @cache
    def of_process(cls) -> Spans:
        """OpenTelemetry takes one provider for a process."""
        return cls()

    def clear(self) -> None:
        self._exporter.clear()

    @property
    def finished(self) -> list[ReadableSpan]:
        return [*self._exporter.get_finished_spans()]

    def one(self, name: str) -> ReadableSpan:
        found = [span for span in self.finished if span.name == name]
        assert len(found) == 1, [span.name for span in self.finished]
        return found[0]

    def tree(self) -> list[tuple[str, str | None]]:
        """Each span's name with that of the span it is in, as they ended."""
        names = {span.context.span_id: span.name for span in self.finished}
        return [
            (span.name, None if span.parent is None else names.get(span.parent.span_id, "?"))
            for span in self.finished
        ]


def told(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})
