"""Rows that another transaction holds: only the writes to these rows wait. PostgreSQL only."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest

from dboshub import DBOS, DBOSConfig, SetWorkflowID, WorkflowCall
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSConflictingWorkflowError
from dboshub.workflows.engine.journal.pending_write import JournalClosedError
from tests.support.eventually import eventually

HELD = [f"held{n}" for n in range(8)]  # more than there are side lanes


@pytest.fixture
def config(postgres_url: str) -> DBOSConfig:
    return {"name": "test-app", "system_database_url": postgres_url}


@pytest.fixture
def held(launch: Callable[..., None], config: DBOSConfig) -> None:
    launch()
    for name in HELD:
        with SetWorkflowID(name):
            DBOS.start_workflow(steps_and_message)
    for name in HELD:
        assert DBOS.get_event(name, "waits", 10)


@DBOS.workflow(name="locked.steps_and_message")
def steps_and_message() -> str:
    DBOS.set_event("waits", True)
    message: str = DBOS.recv("topic", 60)
    DBOS.set_event("received", message)
    return message


@DBOS.workflow(name="locked.quick")
def quick(number: int) -> int:
    return number


@contextmanager
def locked(config: DBOSConfig) -> Iterator[None]:
    with psycopg.connect(config["system_database_url"] or "") as other:
        other.execute(
            "SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid LIKE 'held%' FOR UPDATE"
        )
        yield
        other.rollback()


def send_to(name: str) -> None:
    with suppress(JournalClosedError):
        DBOS.send(name, "m", "topic")


def send_to_all() -> list[threading.Thread]:
    senders = [threading.Thread(target=send_to, args=(name,)) for name in HELD]
    for each in senders:
        each.start()
    return senders


def test_locked_rows_delay_only_their_own_writes(held: None, config: DBOSConfig) -> None:
    lanes = current_engine.engine().journal._side_lanes
    with locked(config):
        senders = send_to_all()
        eventually(lambda: len(lanes._locked_rows) == len(HELD))
        for n in range(50):
            with SetWorkflowID(f"chosen{n}"):
                assert DBOS.start_workflow(quick, n).get_result() == n
        assert all(each.is_alive() for each in senders)
    for each in senders:
        each.join(20)
    assert [DBOS.retrieve_workflow(name).get_result() for name in HELD] == ["m"] * len(HELD)
    eventually(lambda: not lanes._locked_rows)


def test_a_write_that_finds_its_row_locked_is_tried_again_until_it_is_made(
    held: None, config: DBOSConfig
) -> None:
    with psycopg.connect(config["system_database_url"] or "") as other:
        other.execute(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, created_at, updated_at)"
            " VALUES ('same', 'ENQUEUED', 'other', 1, 1)"
        )
        started: list[object] = []

        def start() -> None:
            with SetWorkflowID("same"):
                started.append(DBOS.start_workflow(quick, 1).get_result())

        starter = threading.Thread(target=start)
        starter.start()
        lanes = current_engine.engine().journal._side_lanes
        eventually(lambda: "same" in lanes._locked_rows)
        other.rollback()
    starter.join(20)
    assert started == [1]


@DBOS.workflow(name="locked.waits_async")
async def waits_async(number: int) -> int:
    await DBOS.recv_async("topic", timeout_seconds=0.01)
    return number


def test_calls_on_locked_rows_keep_no_connection_from_others(
    held: None, config: DBOSConfig
) -> None:
    async def cancel_and_run() -> list[int]:
        cancels = [
            asyncio.create_task(DBOS.cancel_workflow_async(name)) for name in HELD for _ in "abc"
        ]
        handles = [await DBOS.start_workflow_async(waits_async, n) for n in range(5)]
        found = [await each.get_result() for each in handles]
        assert not any(each.done() for each in cancels)
        other.rollback()
        await asyncio.gather(*cancels)
        return found

    with psycopg.connect(config["system_database_url"] or "") as other:
        other.execute(
            "SELECT 1 FROM dbos.workflow_status WHERE workflow_uuid LIKE 'held%' FOR UPDATE"
        )
        assert asyncio.run(cancel_and_run()) == [*range(5)]
    assert DBOS.retrieve_workflow(HELD[0]).get_status().status == "CANCELLED"


def test_a_journal_closes_in_time_although_a_row_is_locked(held: None, config: DBOSConfig) -> None:
    journal = current_engine.engine().journal
    with locked(config):
        senders = send_to_all()
        eventually(lambda: len(journal._side_lanes._locked_rows) == len(HELD))
        journal.close(0.1)
        for each in senders:
            each.join(20)
        assert not any(each.is_alive() for each in senders)


def test_many_starts_wait_for_an_id_that_is_being_used_and_delay_no_others(
    launch: Callable[..., None], config: DBOSConfig
) -> None:
    launch()
    calls = [WorkflowCall(quick, each) for each in range(20)]
    calls[7] = calls[7].options(workflow_id="taken")
    found: list[list[Any]] = []
    with psycopg.connect(config["system_database_url"] or "") as other:
        other.execute(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, created_at, updated_at)"
            " VALUES ('taken', 'SUCCESS', 'locked.other', 1, 1)"
        )
        waiting = threading.Thread(target=lambda: found.append(DBOS.start_workflows(calls)))
        waiting.start()
        more = DBOS.start_workflows([WorkflowCall(quick, each) for each in range(20)], atomic=True)
        assert [each.get_result() for each in more] == [*range(20)]
        assert found == []
        other.commit()
    waiting.join(20)
    [answers] = found
    assert isinstance(answers.pop(7), DBOSConflictingWorkflowError)
    assert [each.get_result() for each in answers] == [*range(7), *range(8, 20)]
