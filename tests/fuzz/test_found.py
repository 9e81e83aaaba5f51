"""What single rows of other programs once broke, each by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from dboshub import DBOS
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage import claim, registry
from dboshub.queues.storage.registry import list_queues
from dboshub.workflows.clock import now_ms
from dboshub.workflows.rendering.status_reasons import reason
from dboshub.workflows.selectors.rows import row
from dboshub.workflows.storage.control.delete import delete
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.listing.aggregates import WORKFLOW_VALUES, workflow_aggregates
from dboshub.workflows.storage.membership import executors, recover
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement
from tests.fuzz.columns import tables
from tests.fuzz.rows import good, insert
from tests.fuzz.values import BIG, SQLITE_TEXTS, Hostile, hostile
from tests.queues.rows import claim_request, enqueue, tokens
from tests.schedules.test_ticker import Clock, Process
from tests.support.eventually import eventually

BAD_CONTEXT = Hostile("cut", "gASVAAAA=")
UNENDING = Statement("UPDATE {workflow_status} SET recovery_attempts = :most")
ENQUEUED_AGAIN = Statement("UPDATE {workflow_status} SET status = 'ENQUEUED'")
TICKS = Statement("SELECT COUNT(*) FROM {workflow_status} WHERE schedule_name = 'good'")


@pytest.mark.parametrize("column", ["executor_id", "hostname", "pid", "lease_ms", "beat"])
def test_no_row_of_executors_ends_the_heartbeat_of_others(database: Database, column: str) -> None:
    model = tables()["dboshub_executor"]
    with database.writing() as session:
        strange = Hostile("bytes", b"\xff\x00") if session.vendor == "sqlite" else Hostile("", BIG)
        insert(session, "dboshub_executor", good(model) | {column: strange})
        assert insert(session, "dboshub_executor", good(model, incarnation="mine"))
    with database.writing() as session:
        found = executors.beat(session, "mine")
    assert found is not None
    assert len(found.others) <= 1


def test_a_row_that_was_claimed_too_often_lets_its_neighbours_be_claimed(
    database: Database,
) -> None:
    enqueue(database, count=1)
    with database.writing() as session:
        session.run(UNENDING, most=BIG)
    enqueue(database, count=1)
    with database.writing() as session:
        taken = claim.claim(session, claim_request(tokens(5)))
    assert sorted(each.recovery_attempts or 0 for each in taken) == [1, BIG]


@pytest.mark.parametrize("column", ["class_name", "config_name", "serialization"])
def test_an_empty_name_is_not_the_lack_of_one(database: Database, column: str) -> None:
    enqueue_rows(database, none={column: None}, empty={column: ""})
    assert left_after_refusing(database, "empty") == ["none"]


def test_a_claim_leaves_out_what_was_refused_for_names_that_are_no_text(sqlite_url: str) -> None:
    """As texts with a NUL, and bytes; it would be claimed and handed back for ever."""
    database = open_database(sqlite_url)
    migrate(database)
    names = ("name", "class_name", "config_name", "serialization")
    strange = {f"{name} {each.label}": {name: each} for name in names for each in SQLITE_TEXTS}
    enqueue_rows(database, good={}, **strange)
    assert left_after_refusing(database, *strange) == ["good"]
    database.close()


def test_that_nobody_knows_a_name_that_is_no_text_is_why_it_waits(sqlite_url: str) -> None:
    with closing(open_database(sqlite_url)) as database:
        migrate(database)
        enqueue_rows(database, **{each.label: {"name": each} for each in SQLITE_TEXTS})
        with database.writing() as session:
            now = now_ms()
            executor = good(tables()["dboshub_executor"], last_beat_at=now, queues=None)
            assert insert(session, "dboshub_executor", executor)
            for each in SQLITE_TEXTS:
                found = row(session, each.label)
                assert found is not None
                said = reason(session, found, (), now=now)
                assert "unknown_name" in {each.code for each in said.blockers}


def enqueue_rows(database: Database, **rows: dict[str, Any]) -> None:
    model = tables()["workflow_status"]
    with database.writing() as session:
        for workflow_id, values in rows.items():
            made = good(model, workflow_uuid=workflow_id, queue_name="q", status="ENQUEUED")
            assert insert(session, "workflow_status", made | values)


def left_after_refusing(database: Database, *refused: str) -> list[str]:
    """The workflows that a claim takes, for a process that has refused these of them."""
    request = claim_request(tokens(50))
    with database.writing() as session:
        keys = {each.workflow_id: each.claim_key for each in claim.claim(session, request)}
        session.run(ENQUEUED_AGAIN)
        known = replace(request, refused=[keys[each] for each in refused])
        left = claim.claim(session, known)
    return [each.workflow_id for each in left]


def test_times_beyond_any_clock_fail_no_aggregate_of_others(database: Database) -> None:
    model = tables()["workflow_status"]
    with database.writing() as session:
        for created, ended in ((-BIG, BIG), (BIG, -BIG), (1, 5)):
            times = {"created_at": created, "completed_at": ended, "started_at_epoch_ms": ended}
            assert insert(session, "workflow_status", good(model, status="SUCCESS", **times))
        [found] = workflow_aggregates(
            session, {}, groups=["status"], values=[*WORKFLOW_VALUES], bucket_ms=None
        )
    assert (found["count"], found["min_created_at"]) == (3, -BIG)
    assert found["max_total_latency_ms"] == found["max_queue_wait_ms"] == BIG


def test_a_record_of_a_declaration_that_is_none_is_replaced(database: Database) -> None:
    """As is what another release recorded: the code declares the queue anew."""
    declared, rows = tables()["dboshub_queue_declaration"], tables()["queues"]
    with database.writing() as session:
        digests = hostile("text", session.vendor)
        names = [f"declared{number}" for number in range(len(digests))]
        stored = []
        for name, digest in zip(names, digests, strict=True):
            assert insert(session, rows.name, good(rows, name=name, concurrency=7))
            recorded = good(declared, queue_name=name) | {"digest": digest}
            stored += [name] if insert(session, declared.name, recorded) else []
        registrar = registry.Registrar("shop", "v1")
        for name in names:
            registry.declare(session, registrar, QueueSettings(name=name, concurrency=3), now=1)
        found = list_queues(session, application="shop")
        again = [session.one(registry.DECLARED, name=name) for name in names]
    assert len(stored) > len(digests) // 2
    assert {each.name: each.concurrency for each in found} == dict.fromkeys(names, 3)
    assert len(set(again)) == len(names)


@pytest.mark.parametrize("stored", [0.0, -1.0, 1e-300, float("nan"), float("-inf")])
def test_what_is_no_interval_is_the_usual_one(database: Database, stored: float) -> None:
    queues = tables()["queues"]
    with database.writing() as session:
        if insert(session, "queues", good(queues, name="q", polling_interval_sec=stored)):
            found = list_queues(session, application=None, applications=None)
            assert [each.polling_interval_sec for each in found] == [1.0]


@pytest.mark.parametrize("period", [float("inf"), float("nan"), -1e300, 1e300])
def test_what_is_no_period_of_a_limit_fits_into_a_statement(
    database: Database, period: float
) -> None:
    queues = tables()["queues"]
    given = {"name": "q", "rate_limit_max": 1, "rate_limit_period_sec": period}
    with database.writing() as session:
        assert insert(session, "queues", good(queues, **given))
        for each in list_queues(session, application=None, applications=None):
            if each.limiter is not None:
                assert 0 <= each.limiter.period_ms < 2**62


def test_a_context_that_cannot_be_read_stops_its_schedule_alone(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    models, clock = tables(), Clock()
    with database.writing() as session:
        schedules = models["workflow_schedules"]
        assert insert(session, "workflow_schedules", good(schedules, schedule_name="good"))
        broken = good(schedules, schedule_name="broken") | {"context": BAD_CONTEXT}
        assert insert(session, "workflow_schedules", broken)
        assert insert(session, "application_versions", good(models["application_versions"]))
    with caplog.at_level(logging.WARNING):
        Process(database, clock).lives(200)
    with database.reading() as session:
        assert session.one(TICKS) == (3,)
    said = [each for each in caplog.messages if "context cannot be read" in each]
    assert len(said) == 1


def test_a_context_that_cannot_be_read_is_listed_as_text(
    database: Database, launch: Callable[..., None]
) -> None:
    with database.writing() as session:
        schedules = tables()["workflow_schedules"]
        broken = good(schedules, schedule_name="broken") | {"context": BAD_CONTEXT}
        assert insert(session, "workflow_schedules", broken)
    launch(name="shop")
    found = eventually(DBOS.list_schedules)
    assert [each["context"] for each in found] == [BAD_CONTEXT.value]


def test_rows_without_an_id_let_their_neighbours_be_recovered(sqlite_url: str) -> None:
    """Only SQLite stores NULL as a primary key of text."""
    with closing(open_database(sqlite_url)) as database:
        migrate(database)
        model = tables()["workflow_status"]
        with database.writing() as session:
            for workflow_id in (Hostile("no id", None), "good", Hostile("no id", None)):
                owned = good(model, status="PENDING", owner_xid="hub:gone:1", queue_name="q")
                assert insert(session, "workflow_status", owned | {"workflow_uuid": workflow_id})
        with database.writing() as session:
            found = recover.orphans(session, application=None)
            assert recover.reenqueue(session, found, now=1) == 1
            assert delete(session, [None, "good"]) == 1  # type: ignore[list-item]
