"""Delayed workflows that become due, and workflows whose deadline passes."""

from __future__ import annotations

import pytest

from dboshub.queues.engine.maintenance import Maintenance
from dboshub.queues.storage import due_workflows
from dboshub.queues.storage.store import QueueStore
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.storage.database import Database
from tests.queues.rows import APP, VERSION, columns_of, enqueue, refusing, run
from tests.support.eventually import eventually


def release(database: Database, now: int) -> list[str]:
    with database.writing() as session:
        return due_workflows.release_due(session, APP, now=now)


def sweep(database: Database, now: int) -> list[str]:
    with database.writing() as session:
        return due_workflows.cancel_overdue(session, APP, now=now)


def test_a_delay_ends_at_its_time_and_not_before(database: Database) -> None:
    [workflow_id] = enqueue(database, status="DELAYED", delay_until_epoch_ms=5_000, updated_at=7)
    assert release(database, 4_999) == []
    assert release(database, 5_000) == ["q"]
    assert columns_of(database, workflow_id, "status", "updated_at", "delay_until_epoch_ms") == (
        "ENQUEUED",
        7,
        5_000,
    )
    assert release(database, 5_000) == []


@pytest.mark.parametrize(("debounced", "kept"), [(True, None), (False, "only-one")])
def test_only_a_debounced_workflow_gives_up_its_deduplication_id(
    database: Database, debounced: bool, kept: str | None
) -> None:
    [workflow_id] = enqueue(
        database,
        status="DELAYED",
        delay_until_epoch_ms=1,
        deduplication_id="only-one",
        is_debounced=debounced,
    )
    release(database, 2)
    assert columns_of(database, workflow_id, "deduplication_id") == (kept,)


def test_delays_of_other_applications_are_theirs(database: Database) -> None:
    enqueue(database, status="DELAYED", delay_until_epoch_ms=1, application_name="other")
    enqueue(database, queue="free", status="DELAYED", delay_until_epoch_ms=1, application_name=None)
    assert release(database, 2) == ["free"]


@pytest.mark.parametrize("status", ["ENQUEUED", "PENDING", "DELAYED"])
def test_a_passed_deadline_cancels_whatever_is_active(database: Database, status: str) -> None:
    [workflow_id] = enqueue(
        database,
        status=status,
        workflow_deadline_epoch_ms=5_000,
        deduplication_id="only-one",
        owner_xid="hub:me:1",
    )
    assert sweep(database, 4_999) == []
    assert sweep(database, 5_000) == [workflow_id]
    assert columns_of(
        database,
        workflow_id,
        "status",
        "queue_name",
        "deduplication_id",
        "owner_xid",
        "started_at_epoch_ms",
        "completed_at",
        "updated_at",
    ) == ("CANCELLED", None, None, None, None, 5_000, 5_000)


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR", "CANCELLED"])
def test_what_has_ended_is_left_alone(database: Database, status: str) -> None:
    enqueue(database, status=status, workflow_deadline_epoch_ms=1)
    assert sweep(database, 2) == []


def test_more_than_one_batch_is_worked_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_workflows, "MAX_ROWS", 3)
    waiting = enqueue(database, count=7, workflow_deadline_epoch_ms=1)
    enqueue(database, count=7, status="DELAYED", delay_until_epoch_ms=1)
    store = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    assert sorted(store.cancel_overdue(2)) == waiting
    assert store.release_due(2) == ["q"]
    assert release(database, 2) == []


def test_a_delayed_workflow_on_no_queue_is_released_with_the_others(database: Database) -> None:
    """Another program may write one."""
    enqueue(database, status="DELAYED", delay_until_epoch_ms=1)
    [stray] = enqueue(database, status="DELAYED", delay_until_epoch_ms=1, queue_name=None)
    store = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    assert store.release_due(2) == ["q"]
    assert columns_of(database, stray, "status") == ("ENQUEUED",)


def test_the_duties_are_done_unasked_and_told(database: Database) -> None:
    enqueued: list[str] = []
    cancelled: list[str] = []
    [overdue] = enqueue(database, workflow_deadline_epoch_ms=1)
    enqueue(database, status="DELAYED", delay_until_epoch_ms=1)
    duties = Maintenance(
        QueueStore(database, application=APP, version=VERSION, executor_id="local"),
        clock=DatabaseClock(),
        enqueued=enqueued.append,
        cancelled=cancelled.append,
        interval=0.01,
    )
    duties.start()
    try:
        eventually(lambda: enqueued and cancelled)
    finally:
        assert duties.stop()
    assert (enqueued, cancelled) == (["q"], [overdue])


# Whatever one row makes the database refuse, such as a name that no index holds.
REFUSE = refusing("ENQUEUED", "no index holds it")


def test_a_delayed_workflow_that_cannot_be_enqueued_keeps_no_other_waiting(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    run(database, REFUSE)
    delayed = {"status": "DELAYED", "delay_until_epoch_ms": 1}
    [bad] = enqueue(database, "bad", **delayed)
    good = enqueue(database, count=2, **delayed)
    store = QueueStore(database, application=APP, version=VERSION, executor_id="local")
    assert store.release_due(2) == ["q"]
    assert [columns_of(database, each, "status") for each in good] == [("ENQUEUED",)] * 2
    status, until = columns_of(database, bad, "status", "delay_until_epoch_ms")
    assert (status, until > 2) == ("DELAYED", True)
    assert f"Workflow {bad} stays delayed: no index holds it" in caplog.text
    assert store.release_due(2) == []
