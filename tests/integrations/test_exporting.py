"""Spans and logs reach the OTLP endpoints that the configuration names, and leave no thread."""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from dboshub import DBOS, SetWorkflowID
from dboshub.error import DBOSInitializationError
from tests.support.leaks import assert_no_thread_but, threads

KINDS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@DBOS.workflow()
def exported() -> str:
    DBOS.logger.warning("something is odd")
    return "done"


class Collector:
    """A receiver of OTLP that keeps what it is sent."""

    def __init__(self) -> None:
        self.received: dict[str, list[Any]] = defaultdict(list)
        received = self.received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                received[self.path].append(KINDS[self.path].FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def spans(self) -> list[Any]:
        resources = [each for sent in self.received["/v1/traces"] for each in sent.resource_spans]
        return [span for each in resources for scope in each.scope_spans for span in scope.spans]

    @property
    def records(self) -> list[Any]:
        resources = [each for sent in self.received["/v1/logs"] for each in sent.resource_logs]
        return [one for each in resources for scope in each.scope_logs for one in scope.log_records]


@pytest.fixture
def collector() -> Iterator[Collector]:
    found = Collector()
    serving = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    serving.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    serving.join()


def plain(attributes: Any) -> dict[str, str]:
    return {each.key: each.value.string_value for each in attributes}


def test_spans_and_logs_are_sent_until_destroy_and_flushed_by_it(
    sqlite_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBOS__OTLP_LOGS_ENDPOINT", f"{collector.url}/v1/logs")
    handlers = [*logging.getLogger("dboshub").handlers]
    for run in ("first", "second"):
        known = threads()
        DBOS(
            config={
                "name": "exporting",
                "system_database_url": sqlite_url,
                "enable_otlp": True,
                "otlp_traces_endpoints": [f"{collector.url}/v1/traces"],
                "otlp_attributes": {"zone": "north"},
                "otlp_log_level": "WARNING",
            }
        )
        DBOS.launch()
        with SetWorkflowID(run):
            exported()
        DBOS.destroy()
        assert_no_thread_but(known)
    assert logging.getLogger("dboshub").handlers == handlers
    spans = [span for span in collector.spans if span.name == "exported"]
    assert [plain(span.attributes)["operationUUID"] for span in spans] == ["first", "second"]
    told = [one for one in collector.records if one.body.string_value == "something is odd"]
    assert [plain(one.attributes)["operationUUID"] for one in told] == ["first", "second"]
    assert [one.trace_id for one in told] == [span.trace_id for span in spans]
    [resource, *_] = collector.received["/v1/logs"][0].resource_logs
    assert plain(resource.resource.attributes)["service.name"] == "exporting"
    assert plain(resource.resource.attributes)["zone"] == "north"


def test_without_opentelemetry_the_launch_says_what_to_install(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dboshub.telemetry.exporters", None)
    DBOS(config={"name": "exporting", "system_database_url": sqlite_url, "enable_otlp": True})
    with pytest.raises(DBOSInitializationError, match=r"dboshub\[otel\]"):
        DBOS.launch()
    DBOS.destroy()


@pytest.mark.parametrize(
    "nonsense",
    [
        {"otlp_traces_endpoints": "http://one"},
        {"otlp_logs_endpoints": [1]},
        {"otlp_attributes": {"a": 1}},
        {"otlp_log_level": "LOUD"},
        {"otel_attribute_format": "new"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(nonsense: Any) -> None:
    with pytest.raises(DBOSInitializationError):
        DBOS(config={"name": "exporting", **nonsense})


def test_nothing_optional_is_imported_unless_it_is_used() -> None:
    asked = "import sys, dboshub, dboshub.runtime.lifecycle; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    optional = {"opentelemetry", "fastapi", "starlette", "flask", "django_tasks", "pytest"}
    assert optional & {*done.stdout.split()} == set()
