"""Django's transactions and the engine: steps that are one, and calls that join one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from sqlalchemy import JSON, Column, Date, DateTime, Integer, MetaData, String, Table, select, text
from sqlalchemy.dialects.postgresql import JSONB

from dboshub import DBOS, Queue, SetWorkflowID, WorkflowCall
from dboshub.models import LoginAttempt
from dboshub.workflows.engine.errors import DBOSException
from tests.support.descriptors import no_descriptors, tries_again
from tests.support.eventually import eventually
from tests.support.launched import engine_threads

pytestmark = pytest.mark.django_db(transaction=True)
queue = Queue("transactions")
go_on = threading.Event()
ATTEMPT = Table("dboshub_login_attempt", MetaData(), Column("key", String))
MOMENTS = Table(
    "moments",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", DateTime),
    Column("day", Date),
    Column("json", JSON().with_variant(JSONB(), "postgresql")),
)


@pytest.fixture
def django_url() -> str:
    """The URL of the database that Django's connection is on."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgresql://{given['USER']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


@pytest.fixture
def hub(django_url: str) -> Iterator[type[DBOS]]:
    DBOS(config={"name": "test-app", "system_database_url": django_url})
    DBOS.launch()
    yield DBOS
    DBOS.destroy(grace_period_sec=2)
    eventually(lambda: engine_threads() == [])


def insert(key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO dboshub_login_attempt (key, at) VALUES (%s, CURRENT_TIMESTAMP)", [key]
        )


def keys() -> list[str]:
    return sorted(LoginAttempt.objects.values_list("key", flat=True))


@DBOS.transaction()
def save(key: str) -> str:
    insert(key)
    DBOS.set_event("saved", key)
    return key


@DBOS.transaction(name="refused")
def save_and_fail(key: str) -> None:
    insert(key)
    raise ValueError(key)


@DBOS.workflow(name="transactions.saving")
def saving(key: str) -> str:
    return save(key)


@DBOS.workflow(name="transactions.saving_later")
def saving_later(key: str) -> str:
    assert go_on.wait(20)
    return save(key)


@DBOS.workflow(name="transactions.failing")
def failing(key: str) -> str:
    try:
        save_and_fail(key)
    except ValueError as error:
        return f"caught {error}"
    return "never"


@DBOS.workflow(name="transactions.echo")
def echo(value: Any) -> Any:
    return value


@DBOS.workflow(name="transactions.listen")
def listen() -> Any:
    return DBOS.recv("t", 20)


def test_data_and_checkpoint_commit_together_and_once(hub: type[DBOS]) -> None:
    for _ in range(2):
        with SetWorkflowID("w"):
            assert saving("a") == "a"
    assert DBOS.fork_workflow("w", 2).get_result() == "a"
    assert keys() == ["a"]
    assert [step["function_name"] for step in DBOS.list_workflow_steps("w")] == ["save"]
    assert DBOS.get_event("w", "saved", 0) == "a"


def test_a_failed_transaction_leaves_nothing_but_its_error(hub: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert failing("a") == "caught a"
    assert keys() == []
    (step,) = DBOS.list_workflow_steps("w")
    assert (step["function_name"], str(step["error"])) == ("refused", "a")


def test_without_descriptors_it_waits_for_a_connection(hub: type[DBOS]) -> None:
    go_on.clear()
    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(saving_later, "a")
    with no_descriptors():
        go_on.set()
        eventually(lambda: tries_again("w"))
    assert handle.get_result() == "a"
    assert keys() == ["a"]


def test_a_workflow_that_lost_its_row_saves_nothing(hub: type[DBOS]) -> None:
    @DBOS.step(name="transactions.lose")
    def lose() -> None:
        with connection.cursor() as cursor:
            table = (
                '"dbos"."workflow_status"' if connection.vendor != "sqlite" else "workflow_status"
            )
            cursor.execute(
                f"UPDATE {table} SET owner_xid = 'other', status = 'CANCELLED' "
                "WHERE workflow_uuid = 'w'"
            )

    @DBOS.transaction(name="transactions.steal")
    def steal() -> None:
        insert("a")
        lose()

    @DBOS.workflow(name="transactions.loser")
    def loser() -> None:
        steal()

    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(loser)
    eventually(lambda: handle.get_workflow_id() not in running())
    assert keys() == []
    assert DBOS.list_workflow_steps("w") == []


def test_sqlalchemy_and_the_orm_write_in_one_transaction(hub: type[DBOS]) -> None:
    """Both on Django's connection, so that neither is there without the other."""

    @DBOS.transaction("REPEATABLE READ", name="transactions.both")
    def both(key: str) -> list[str]:
        insert(f"orm {key}")
        session = DBOS.sql_session
        session.execute(
            text("INSERT INTO dboshub_login_attempt (key, at) VALUES (:key, :at)"),
            {"key": f"sql {key}", "at": datetime(2026, 1, 1)},
        )
        attempts = select(ATTEMPT.c.key).order_by(ATTEMPT.c.key)
        seen = [*session.scalars(attempts)]
        if key == "bad":
            raise ValueError(key)
        return seen

    @DBOS.workflow(name="transactions.saving_both")
    def saving_both(key: str) -> list[str]:
        return both(key)

    assert saving_both("a") == keys() == ["orm a", "sql a"]
    with pytest.raises(ValueError, match="bad"):
        saving_both("bad")
    with pytest.raises(ValueError, match="bad"):
        both("bad")
    assert keys() == ["orm a", "sql a"]


def test_what_djangos_driver_converts_is_read_by_sqlalchemy_all_the_same(hub: type[DBOS]) -> None:
    row = {
        "id": 1,
        "at": datetime(2026, 1, 2, 3, 4, 5),
        "day": date(2026, 1, 2),
        "json": {"a": [1]},
    }

    @DBOS.transaction()
    def kept() -> dict[str, Any]:
        session = DBOS.sql_session
        MOMENTS.create(session.connection())
        session.execute(MOMENTS.insert(), row)
        found = session.execute(select(MOMENTS)).mappings().one()
        MOMENTS.drop(session.connection())
        return {**found}

    assert kept() == row


def test_outside_a_workflow_it_is_a_transaction_only(hub: type[DBOS]) -> None:
    with pytest.raises(ValueError, match="a"):
        save_and_fail("a")
    assert keys() == []


def test_enqueueing_joins_the_callers_transaction(hub: type[DBOS]) -> None:
    with transaction.atomic(), SetWorkflowID("never"):
        queue.enqueue(echo, 1)
        transaction.set_rollback(True)
    assert DBOS.get_workflow_status("never") is None
    with transaction.atomic():
        insert("a")
        handle = queue.enqueue(echo, 2)
    assert handle.get_result() == 2


def test_many_enqueued_join_the_callers_transaction(hub: type[DBOS]) -> None:
    calls = [WorkflowCall(echo, each) for each in range(3)]
    with transaction.atomic():
        lost = queue.enqueue_workflows(calls, atomic=True)
        transaction.set_rollback(True)
    assert DBOS.get_workflow_status(lost[0].workflow_id) is None
    with transaction.atomic():
        handles = queue.enqueue_workflows(calls, atomic=True)
    assert [each.get_result() for each in handles] == [0, 1, 2]
    with transaction.atomic(), pytest.raises(DBOSException, match="on_commit"):
        DBOS.start_workflows(calls)


def test_sending_joins_the_callers_transaction(hub: type[DBOS]) -> None:
    handle = DBOS.start_workflow(listen)
    with transaction.atomic():
        DBOS.send(handle.get_workflow_id(), "hello", "t")
    assert handle.get_result() == "hello"


def test_starting_within_a_transaction_is_refused_and_says_what_to_do(hub: type[DBOS]) -> None:
    with transaction.atomic(), pytest.raises(DBOSException, match="on_commit"):
        DBOS.start_workflow(echo, 1)
    with transaction.atomic(), pytest.raises(DBOSException, match="on_commit"):
        echo(1)


def test_a_coroutine_cannot_be_a_transaction() -> None:
    async def nothing() -> None: ...

    with pytest.raises(DBOSException, match="async"):
        DBOS.transaction()(nothing)


def running() -> list[str]:
    from dboshub.workflows.engine.current_engine import engine

    return [each.workflow_id for each in engine().executions]
