"""Django's transactions and the engine: steps that are one, and calls that join one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from dboshub import DBOS, Queue, SetWorkflowID
from dboshub.models import LoginAttempt
from tests.support.eventually import eventually
from tests.support.launched import engine_threads
from workflows.engine.errors import DBOSException

pytestmark = pytest.mark.django_db(transaction=True)
queue = Queue("transactions")


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
    from workflows.engine.current import engine

    return [each.workflow_id for each in engine().executions]
