"""Why a workflow is in its state, in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.runs import T0, add_step, add_workflow, insert

NOW = T0 + 10_000


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as writing:
        yield writing


def why(session: Session, workflow_id: str = "w") -> Reason:
    found = row(session, workflow_id)
    assert found is not None
    return reason(session, found, steps.latest(session, workflow_id), now=NOW)


def add_executor(session: Session, **columns: Any) -> None:
    given = {
        "incarnation": "a" * 32,
        "executor_id": "local",
        "application_name": "shop",
        "application_version": "v1",
        "hostname": "box",
        "pid": 7,
        "lease_ms": 30_000,
        "registered_at": T0,
        "last_beat_at": NOW - 1_000,
    }
    insert(session, "dboshub_executor", **given | columns)


def add_queue(session: Session, **columns: Any) -> None:
    insert(session, "queues", queue_id="q", name="orders", **columns)


def test_a_wait_whose_own_row_is_missing_is_for_a_message_or_event(session: Session) -> None:
    add_workflow(session, "w", "PENDING")
    add_step(session, "w", 1, "charge")
    add_step(session, "w", 3, "DBOS.sleep", 200, 51_000)
    found = why(session)
    assert (found.text, found.until) == ("Waiting for a message or event", T0 + 51_000)


def test_a_sleep_that_has_not_ended_is_a_sleep(session: Session) -> None:
    add_workflow(session, "w", "PENDING")
    add_step(session, "w", 1, "DBOS.sleep", 200, 51_000)
    assert (why(session).text, why(session).until) == ("Sleeping", T0 + 51_000)


@pytest.mark.parametrize(
    ("keys", "text", "until"),
    [
        ([], "Sleeping", T0 + 60_000),
        ([("message", "w", "paid")], "Waiting for a message on the topic paid", T0 + 51_000),
        ([("message", "w", "__null__topic__")], "Waiting for a message", T0 + 51_000),
        ([("event", "w-9", "price")], "Waiting for the event price of w-9", T0 + 51_000),
        ([("result", "w-9", "must exist")], "Waiting for the result of w-9", None),
        (
            [("result", f"w-{number}", "") for number in range(3)],
            "Waiting for the first of 3 workflows",
            None,
        ),
    ],
)
def test_a_workflow_that_left_memory_says_what_it_waits_for(
    session: Session, keys: list[tuple[str, str, str]], text: str, until: int | None
) -> None:
    add_workflow(session, "w", "DELAYED", started_at_epoch_ms=T0, delay_until_epoch_ms=T0 + 60_000)
    add_step(session, "w", 2, "DBOS.sleep", 200, 51_000)
    for kind, target, name in keys:
        insert(
            session, "dboshub_wait", kind=kind, target=target, name=name,
            workflow_uuid="w", created_at=T0,
        )  # fmt: skip
    found = why(session)
    assert (found.text, found.until, found.is_wait) == (text, until, True)
    assert "suspended" in found.advice


def test_a_delayed_start_is_not_a_suspended_workflow(session: Session) -> None:
    add_workflow(session, "w", "DELAYED", started_at_epoch_ms=None, delay_until_epoch_ms=T0 + 9)
    assert why(session).text.startswith("Delayed; it is enqueued")


def test_what_was_stopped_in_a_wait_says_so_and_what_waited_before_does_not(
    session: Session,
) -> None:
    for name in ("asleep", "received"):
        add_workflow(session, name, "CANCELLED")
        add_step(session, name, 2, "DBOS.sleep", 200, 51_000)
    add_step(session, "received", 1, "DBOS.recv", 200, 300)
    assert why(session, "asleep").text == "Stopped while it waited."
    assert why(session, "received").text == "Stopped after step 1 (DBOS.recv)."


def test_a_running_workflow_is_after_its_last_step(session: Session) -> None:
    add_workflow(session, "w", "PENDING")
    assert why(session).text == "Running; no step is recorded yet."
    add_step(session, "w", 4, "charge")
    assert why(session).text == "Running, after step 4 (charge)."


def test_a_child_that_is_not_done_is_named_as_what_it_may_wait_for(session: Session) -> None:
    add_workflow(session, "w", "PENDING")
    add_workflow(session, "w-1", "ENQUEUED")
    add_step(session, "w", 1, "ship", child="w-1")
    assert why(session).text == "Running, after step 1 (ship), a child that is queued."


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ({"kind": "step", "name": "charge"}, "Running step 2 (charge)."),
        ({"kind": "retry", "name": "charge"}, "Waiting to try step 2 (charge) again"),
        ({"kind": "sleep"}, "Sleeping"),
        ({"kind": "message"}, "Waiting for a message"),
        ({"kind": "message", "name": "paid"}, "Waiting for a message on the topic paid"),
        ({"kind": "event", "name": "paid", "of": "w-9"}, "Waiting for the event paid of w-9"),
        ({"kind": "stream", "name": "log", "of": "w-9"}, "Waiting for the stream log of w-9"),
        ({"kind": "result", "of": "w-9"}, "Waiting for the result of w-9"),
        ({"kind": "first", "name": "3"}, "Waiting for the first of 3 workflows"),
    ],
)
def test_what_its_executor_says_comes_before_inference(
    session: Session, said: dict[str, Any], text: str
) -> None:
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{'a' * 32}:9")
    add_step(session, "w", 1, "charge")
    told = {"workflow": "w", "step": 2, "since": NOW - 7, "until": NOW + 9} | said
    add_executor(session, activity=json.dumps([told]))
    found = why(session)
    assert (found.text, found.is_said, found.is_wait) == (text, True, said["kind"] != "step")
    assert (found.since, found.until) == (NOW - 7, NOW + 9)


@pytest.mark.parametrize(
    "activity",
    [
        "no json",
        "7",
        '{"w": 1}',
        '[{"workflow": "w"}]',
        "[1]",
        '[{"workflow": "w", "kind": "dream", "step": 1}]',
        '[{"workflow": "w", "kind": "sleep", "step": "1"}]',
        '[{"workflow": "w", "kind": "sleep", "step": 1, "until": "soon"}]',
        '[{"workflow": "w", "kind": "event", "step": 1, "name": ["paid"]}]',
    ],
)
def test_what_an_executor_says_in_other_words_is_left_aside(
    session: Session, activity: str
) -> None:
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{'a' * 32}:9")
    add_executor(session, activity=activity, functions="no json", queues="[")
    assert why(session).text == "Running; no step is recorded yet."


@pytest.mark.parametrize(
    ("kind", "step", "rows"),
    [
        ("sleep", 4, {5: "charge"}),
        ("step", 5, {5: "charge"}),
        ("result", 5, {5: "DBOS.getResult"}),
        ("message", 5, {4: "DBOS.recv", 5: "DBOS.sleep"}),
        ("event", 5, {4: "DBOS.getEvent", 5: "DBOS.sleep"}),
    ],
)
def test_what_was_said_before_the_last_step_is_stale(
    session: Session, kind: str, step: int, rows: dict[int, str]
) -> None:
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{'a' * 32}:9")
    for number, name in rows.items():
        add_step(session, "w", number, name)
    add_executor(session, activity=json.dumps([{"workflow": "w", "step": step, "kind": kind}]))
    assert not why(session).is_said


@pytest.mark.parametrize(("kind", "step"), [("sleep", 5), ("message", 5), ("retry", 6)])
def test_what_was_said_since_the_last_step_holds(session: Session, kind: str, step: int) -> None:
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{'a' * 32}:9")
    add_step(session, "w", 3, "charge")
    add_step(session, "w", 5, "DBOS.sleep", 200, 51_000)
    add_executor(session, activity=json.dumps([{"workflow": "w", "step": step, "kind": kind}]))
    assert why(session).is_said


def test_a_silent_executor_is_trouble(session: Session) -> None:
    add_workflow(session, "w", "PENDING", owner_xid=f"hub:{'a' * 32}:9")
    add_executor(session, last_beat_at=NOW - 40_000)
    assert "has sent no heartbeat for 40 s" in why(session).text
    assert why(session).is_trouble


def test_a_running_workflow_without_input_can_not_run(session: Session) -> None:
    add_workflow(session, "w", "PENDING")
    session.run(Statement("DELETE FROM {workflow_input}"))
    assert why(session).text == "Its input is missing, so no executor can run it."


@pytest.mark.parametrize(
    ("executor", "text"),
    [
        (None, "Enqueued on orders; no live executor is registered."),
        ({"last_beat_at": T0 - 60_000}, "Enqueued on orders; no live executor is registered."),
        (
            {"application_version": "v2"},
            "Enqueued on orders; no live executor of shop for version v1.",
        ),
        ({"queues": '["mail"]'}, "Enqueued on orders; no live executor serves the queue orders."),
        (
            {"functions": '["other"]'},
            "Enqueued on orders; no live executor knows a workflow named checkout.",
        ),
        ({"functions": '["checkout"]'}, "Enqueued on orders, next in line."),
    ],
)
def test_an_enqueued_workflow_says_what_is_missing(
    session: Session, executor: dict[str, Any] | None, text: str
) -> None:
    add_queue(session)
    add_workflow(session, "w", "ENQUEUED", queue_name="orders")
    if executor is not None:
        add_executor(session, **executor)
    assert why(session).text == text


@pytest.mark.parametrize(
    ("instances", "text"),
    [
        ([], "Enqueued on orders; no live executor has made the instance eu of Shop."),
        (["us"], "Enqueued on orders; no live executor has made the instance eu of Shop."),
        (["eu", "us"], "Enqueued on orders, next in line."),
    ],
)
def test_an_instance_that_nobody_made_is_why(
    session: Session, instances: list[str], text: str
) -> None:
    add_queue(session)
    published = {"checkout": {"class": "Shop", "instances": instances}}
    add_executor(session, functions=json.dumps(published))
    add_workflow(session, "w", "ENQUEUED", queue_name="orders", class_name="Shop", config_name="eu")
    assert why(session).text == text


def test_a_step_that_runs_alone_is_not_published_and_yet_known(session: Session) -> None:
    add_queue(session)
    add_executor(session, functions='{"checkout": {}}')
    add_workflow(session, "w", "ENQUEUED", queue_name="orders", name="<temp>.charge")
    assert why(session).text == "Enqueued on orders, next in line."


def test_a_paused_queue_is_why(session: Session) -> None:
    add_queue(session)
    add_workflow(session, "w", "ENQUEUED", queue_name="orders")
    add_executor(session)
    insert(session, "dboshub_queue_pause", queue_name="orders", paused_at=T0, reason="stock taking")
    assert why(session).text == "Enqueued on orders; the queue orders is paused: stock taking."


def test_a_full_queue_is_why(session: Session) -> None:
    add_queue(session, concurrency=2)
    add_executor(session)
    for number in range(2):
        add_workflow(session, f"busy-{number}", "PENDING", queue_name="orders")
    add_workflow(session, "w", "ENQUEUED", queue_name="orders")
    assert why(session).text == "Enqueued on orders; all 2 places of the queue are taken."


def test_a_used_up_rate_is_why(session: Session) -> None:
    add_queue(session, rate_limit_max=1, rate_limit_period_sec=60)
    add_executor(session)
    add_workflow(
        session, "done", queue_name="orders", rate_limited=True, started_at_epoch_ms=NOW - 5_000
    )
    add_workflow(session, "w", "ENQUEUED", queue_name="orders")
    assert why(session).text == "Enqueued on orders; its rate of 1 in 60 s is used up"


def test_those_ahead_in_line_are_counted(session: Session) -> None:
    add_queue(session)
    add_executor(session)
    add_workflow(session, "first", "ENQUEUED", queue_name="orders", created_at=T0 - 1)
    add_workflow(session, "urgent", "ENQUEUED", queue_name="orders", created_at=T0 + 1)
    add_workflow(session, "w", "ENQUEUED", queue_name="orders", priority=1)
    assert why(session).text == "Enqueued on orders; 2 ahead of it."


def test_a_delayed_workflow_says_until_when(session: Session) -> None:
    add_workflow(session, "w", "DELAYED", queue_name="mail", delay_until_epoch_ms=NOW + 5)
    assert (why(session).text, why(session).until) == (
        "Delayed; it is enqueued on the queue mail",
        NOW + 5,
    )


@pytest.mark.parametrize(
    ("status", "text"),
    [
        ("SUCCESS", "Returned a value after 4 s."),
        ("ERROR", "Raised an error after step 1 (charge), which failed."),
        ("CANCELLED", "Stopped after step 1 (charge)."),
        (
            "MAX_RECOVERY_ATTEMPTS_EXCEEDED",
            "Given up after step 1 (charge): started 1 times, each time its executor ended "
            "before it could finish.",
        ),
        ("INVENTED", "This release does not know the status INVENTED."),
    ],
)
def test_what_has_ended_says_how(session: Session, status: str, text: str) -> None:
    add_workflow(session, "w", status)
    add_step(session, "w", 1, "charge", error=ValueError())
    assert why(session).text == text
