"""Spans: one for each workflow, step and call, nested as they run, across processes if asked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.trace import StatusCode

from dboshub import (
    DBOS,
    DBOSContextSetAuth,
    EnqueueOptions,
    OtelContext,
    PropagateOtelContext,
    SetWorkflowAttributes,
    SetWorkflowID,
)
from dboshub.error import DBOSMaxStepRetriesExceeded
from dboshub.telemetry import exporters
from tests.support.eventually import eventually
from tests.support.spans import Spans, told

Launch = Callable[..., None]
# What asks nothing of the database is shown on the cheaper one.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ELSEWHERE = "0af7651916cd43dd8448eb211c80319c"
mine = trace.get_tracer("mine")
tries: list[int] = []


@DBOS.step()
def add(number: int) -> str:
    with mine.start_as_current_span("inside"):
        return f"{DBOS.span.get_span_context().trace_id:032x}"


@DBOS.step(retries_allowed=True, interval_seconds=0.001)
def flaky() -> int:
    tries.append(1)
    if len(tries) < 2:
        raise ValueError("not yet")
    return len(tries)


@DBOS.step()
def broken() -> None:
    raise KeyError("broken")


@DBOS.workflow()
def leaf(number: int) -> str:
    return add(number)


@DBOS.workflow()
def trunk() -> str:
    DBOS.sleep(0.001)
    DBOS.set_event("k", 1)
    DBOS.send(DBOS.workflow_id, "hello")
    DBOS.recv(timeout_seconds=1)
    DBOS.write_stream("s", 1)
    DBOS.close_stream("s")
    DBOS.start_workflow(leaf, 1).get_result()
    return leaf(2)


@DBOS.workflow()
async def waits_and_asks() -> None:
    assert await DBOS.list_schedules_async() == []
    await DBOS.asyncio_wait([add_later(1)])


@DBOS.workflow()
def falls() -> None:
    broken()


@DBOS.workflow()
def regrows() -> int:
    return flaky()


@DBOS.step()
async def add_later(number: int) -> int:
    await asyncio.sleep(0)
    return number


@DBOS.workflow()
async def branches() -> list[int]:
    return [*await asyncio.gather(add_later(1), add_later(2))]


@on_sqlite
def test_each_workflow_step_and_call_is_a_span_within_the_one_that_made_it(
    launch: Launch, spans: Spans
) -> None:
    launch(enable_otlp=True)
    with mine.start_as_current_span("request"), SetWorkflowID("w"):
        trunk()
    assert spans.tree() == [
        ("sleep", "trunk"),
        ("set_event", "trunk"),
        ("send", "trunk"),
        ("recv", "trunk"),
        ("write_stream", "trunk"),
        ("close_stream", "trunk"),
        *[("inside", "add"), ("add", "leaf"), ("leaf", "trunk")] * 2,
        ("trunk", "request"),
        ("request", None),
    ]
    assert told(spans.one("trunk")) == {
        "operationType": "workflow",
        "operationUUID": "w",
        "applicationVersion": DBOS.application_version,
        "executorID": "local",
        "authenticatedUserRoles": "",
    }
    assert spans.one("trunk").status.status_code is StatusCode.OK
    scope = spans.one("trunk").instrumentation_scope
    assert scope is not None
    assert scope.name == "dbos-tracer"


@on_sqlite
async def test_coroutines_that_run_at_once_keep_their_own_spans(
    launch: Launch, spans: Spans
) -> None:
    launch(enable_otlp=True)
    with mine.start_as_current_span("request"):
        await branches()
    assert spans.tree() == [
        ("add_later", "branches"),
        ("add_later", "branches"),
        ("branches", "request"),
        ("request", None),
    ]


@on_sqlite
async def test_waiting_for_tasks_and_asking_for_schedules_are_spans(
    launch: Launch, spans: Spans
) -> None:
    launch(enable_otlp=True)
    await waits_and_asks()
    assert spans.tree() == [
        ("listSchedules", "waits_and_asks"),
        ("add_later", "waits_and_asks"),
        ("asyncio_wait", "waits_and_asks"),
        ("waits_and_asks", None),
    ]


@on_sqlite
def test_a_failure_is_the_span_s_and_each_failed_attempt_an_event(
    launch: Launch, spans: Spans
) -> None:
    launch(enable_otlp=True)
    with pytest.raises(KeyError):
        falls()
    for name in ("broken", "falls"):
        assert spans.one(name).status.status_code is StatusCode.ERROR
        assert [event.name for event in spans.one(name).events] == ["exception"]
    tries.clear()
    assert regrows() == 2
    [event] = spans.one("flaky").events
    assert event.name == "Step attempt 0 failed"
    assert dict(event.attributes or {}) == {"error": "not yet", "retryIntervalSeconds": 0.001}
    assert spans.one("flaky").status.status_code is StatusCode.OK


class Unprintable(Exception):
    def __str__(self) -> str:
        raise LookupError("no text")


@DBOS.step(retries_allowed=True, max_attempts=2, interval_seconds=0.001)
def unprintable_step() -> None:
    raise Unprintable


@DBOS.workflow()
def ends_unprintable() -> None:
    unprintable_step()


@DBOS.workflow()
def raises_unprintable() -> None:
    raise Unprintable


@on_sqlite
def test_a_span_of_an_error_without_text_is_not_in_its_way(launch: Launch, spans: Spans) -> None:
    launch(enable_otlp=True)
    with pytest.raises(DBOSMaxStepRetriesExceeded):
        ends_unprintable()
    with pytest.raises(Unprintable):
        raises_unprintable()
    span = spans.one("raises_unprintable")
    assert span.status.status_code is StatusCode.ERROR
    [event] = span.events
    assert "cannot be shown" in str((event.attributes or {})["exception.message"])


@on_sqlite
def test_attributes_follow_the_semantic_conventions_if_asked(launch: Launch, spans: Spans) -> None:
    launch(enable_otlp=True, otel_attribute_format="semconv", otlp_attributes={"zone": "north"})
    with DBOSContextSetAuth("ann", ["clerk"]):
        leaf(1)
    assert told(spans.one("add")) == {
        "dbos.operation.type": "step",
        "dbos.operation.workflow_id": told(spans.one("leaf"))["dbos.operation.workflow_id"],
        "dbos.application.version": DBOS.application_version,
        "dbos.executor.id": "local",
        "dbos.user.name": "ann",
        "dbos.user.roles": '["clerk"]',
        "zone": "north",
    }


def test_what_is_queued_begins_a_trace_of_its_own_unless_one_is_propagated(
    launch: Launch, spans: Spans
) -> None:
    launch(enable_otlp=True)
    DBOS.register_queue("traced")
    with mine.start_as_current_span("request") as request:
        here = f"{request.get_span_context().trace_id:032x}"
        assert DBOS.enqueue_workflow("traced", leaf, 1).get_result() != here
        with SetWorkflowAttributes({"kept": 1}), PropagateOtelContext():
            handle = DBOS.enqueue_workflow("traced", leaf, 2)
            assert handle.get_result() == here
    attributes: Any = handle.get_status().attributes
    assert attributes["kept"] == 1
    assert attributes["dbos.otelContext"]["traceparent"].split("-")[1] == here
    eventually(lambda: len([name for name, _ in spans.tree() if name == "leaf"]) == 2)
    assert [within for name, within in spans.tree() if name == "leaf"] == [None, "request"]
    # A fork goes on with the trace of what it forks.
    assert DBOS.fork_workflow(handle.workflow_id, 1).get_result() == here
    assert told(spans.one("request")) == {}


def test_a_carrier_from_elsewhere_is_gone_on_with_and_nonsense_ignored(
    launch: Launch, spans: Spans
) -> None:
    launch(enable_otlp=True)
    DBOS.register_queue("traced")
    elsewhere = OtelContext(traceparent=f"00-{ELSEWHERE}-b7ad6b7169203331-01")
    with PropagateOtelContext(elsewhere):
        assert DBOS.enqueue_workflow("traced", leaf, 1).get_result() == (ELSEWHERE)
    named: EnqueueOptions = {"workflow_name": "leaf", "queue_name": "traced"}
    with PropagateOtelContext(elsewhere):
        assert DBOS.enqueue_workflow_with_options(named, 3).get_result() == ELSEWHERE
        named["otel_context"] = {"traceparent": f"00-{ELSEWHERE[::-1]}-b7ad6b7169203331-01"}
        assert DBOS.enqueue_workflow_with_options(named, 4).get_result() == ELSEWHERE[::-1]
    for nonsense in (5, "x", [1], {"traceparent": "y"}, {"traceparent": 7}):
        with SetWorkflowAttributes({"dbos.otelContext": nonsense}):
            assert len(DBOS.enqueue_workflow("traced", leaf, 1).get_result()) == 32


@on_sqlite
def test_records_of_the_logger_name_the_trace(
    launch: Launch, spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    launch(enable_otlp=True)
    with caplog.at_level(logging.INFO, "dboshub.app"):
        logged_once()
    record: Any = caplog.records[-1]
    assert record.operationUUID == told(spans.one("logged_once"))["operationUUID"]
    context = spans.one("logged_once").context
    assert context is not None
    assert record.traceId == f"{context.trace_id:032x}"
    assert record.executorID == "local"


@DBOS.workflow()
def logged_once() -> None:
    DBOS.logger.info("hello")


@on_sqlite
def test_nothing_is_traced_unless_it_is_asked_for(dbos: type[DBOS], spans: Spans) -> None:
    add_child = DBOS.start_workflow(branches).get_result()
    assert add_child == [1, 2]
    assert spans.finished == []
    assert DBOS.span is None


def test_spans_can_be_made_by_hand(spans: Spans) -> None:
    outer = DBOS.tracer.start_span({"name": "outer", "colour": "red"})
    inner = DBOS.tracer.start_span({"name": "inner"}, parent=outer)
    assert DBOS.tracer.get_current_span() is None
    DBOS.tracer.end_span(inner)
    DBOS.tracer.end_span(outer)
    assert spans.tree() == [("inner", "outer"), ("outer", None)]
    assert told(spans.one("outer")) == {"colour": "red"}


def test_a_context_of_opentelemetry_is_gone_on_with(launch: Launch, spans: Spans) -> None:
    launch(enable_otlp=True)
    DBOS.register_queue("traced")
    named: EnqueueOptions = {"workflow_name": "leaf", "queue_name": "traced"}
    with mine.start_as_current_span("request") as request:
        here = f"{request.get_span_context().trace_id:032x}"
        given = get_current()
    with PropagateOtelContext(given):
        assert DBOS.enqueue_workflow("traced", leaf, 1).get_result() == here
    named["otel_context"] = given
    assert DBOS.enqueue_workflow_with_options(named, 2).get_result() == here


def test_without_a_trace_nothing_is_stored(launch: Launch, spans: Spans) -> None:
    launch(enable_otlp=True)
    with PropagateOtelContext(Context()):
        handles = [DBOS.enqueue_workflow("unserved", leaf, 1)]
    with PropagateOtelContext():
        handles.append(DBOS.enqueue_workflow("unserved", leaf, 1))
    assert [each.get_status().attributes for each in handles] == [None, None]


@on_sqlite
def test_logs_go_to_the_provider_of_the_application_with_attributes(
    launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(kept))
    monkeypatch.setattr(exporters, "get_logger_provider", lambda: provider)
    launch(enable_otlp=True, otlp_attributes={"tenant": "acme", "name": "not replaced"})
    DBOS.logger.warning("told")
    [told] = [each.log_record for each in kept.get_finished_logs()]
    assert (told.body, (told.attributes or {})["tenant"]) == ("told", "acme")
