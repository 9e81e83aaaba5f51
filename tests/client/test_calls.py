"""A client enqueues, talks to, lists and steers workflows that others run."""

from __future__ import annotations

import threading

import pytest

from dboshub import DBOS, DBOSClient, EnqueueOptions, WorkflowSerializationFormat
from dboshub.workflows.engine.errors import (
    DBOSConflictingWorkflowError,
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSQueueDeduplicatedError,
    DBOSStreamTimeoutError,
    DBOSWorkflowIDInUseError,
)
from dboshub.workflows.storage.connection_errors import DatabaseUnreachableError
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Statement
from tests.client import program
from tests.client.conftest import MakeClient
from tests.support.eventually import eventually
from tests.support.launched import engine_threads
from tests.support.postgres import Server

TRIPLE: EnqueueOptions = {"workflow_name": "client_triple", "queue_name": "jobs"}


def options(**changes: object) -> EnqueueOptions:
    return {**TRIPLE, **changes}  # type: ignore[typeddict-item]


def test_enqueued_work_runs_and_its_result_comes_back(client: DBOSClient) -> None:
    handle = client.enqueue(TRIPLE, 14)
    assert handle.get_result() == 42
    assert handle.get_status().status == "SUCCESS"


async def test_every_call_has_an_awaited_form(client: DBOSClient) -> None:
    handle = await client.enqueue_async(TRIPLE, 14)
    assert await handle.get_result() == 42
    assert (await handle.get_status()).output == 42
    assert [each.workflow_id for each in await client.list_workflows_async()] == [
        handle.workflow_id
    ]
    queue = await client.retrieve_queue_async("jobs")
    assert await queue.get_polling_interval_sec_async() == 0.1


def test_it_finds_what_an_application_enqueued(client: DBOSClient) -> None:
    handle = DBOS.enqueue_workflow("jobs", program.triple, 2)
    assert client.retrieve_workflow(handle.workflow_id).get_result() == 6


def test_errors_come_back_as_what_they_were(client: DBOSClient) -> None:
    with pytest.raises(ValueError, match="on purpose"):
        client.enqueue(options(workflow_name="client_fail"), "on purpose").get_result()


def test_events_and_streams_are_read_and_a_message_is_heard(client: DBOSClient) -> None:
    handle = client.enqueue(options(workflow_name="client_talk"), ["to", "fro"])
    assert client.get_event(handle.workflow_id, "count", 20) == 2
    assert list(client.read_stream(handle.workflow_id, "words")) == ["to", "fro"]
    assert client.read_stream_offset(handle.workflow_id, "words", 1) == "fro"
    with pytest.raises(DBOSStreamTimeoutError):
        client.read_stream_offset(handle.workflow_id, "words", 7, timeout_seconds=0.1)
    client.send(handle.workflow_id, "you", "topic", "only once")
    client.send(handle.workflow_id, "you", "topic", "only once")
    assert handle.get_result() == "heard you"
    assert client.get_all_events(handle.workflow_id) == {"count": 2}


def test_an_event_that_does_not_come_is_waited_for_no_longer_than_asked(
    alone: DBOSClient,
) -> None:
    assert alone.get_event("nobody", "nothing", 0.05) is None


def test_portable_work_is_written_for_every_language(client: DBOSClient) -> None:
    given = options(serialization_type=WorkflowSerializationFormat.PORTABLE)
    assert client.enqueue(given, 2).get_result() == 6


def test_a_row_says_what_the_options_say(alone: DBOSClient) -> None:
    alone.enqueue(
        options(
            workflow_id="chosen",
            priority=7,
            app_version="v9",
            workflow_timeout=3,
            delay_seconds=60,
            queue_partition_key="north",
            authenticated_user="ada",
            authenticated_roles=["admin"],
            class_name="Shop",
            instance_name="berlin",
            attributes={"customer": 1},
            application_name="shop",
            otel_context={"traceparent": "00-1-2-01"},
        ),
        1,
        two=2,
    )
    [row] = alone.list_workflows(workflow_ids=["chosen"])
    assert row.input == {"args": (1,), "kwargs": {"two": 2}}
    assert (row.status, row.priority, row.app_version) == ("DELAYED", 7, "v9")
    assert (row.workflow_timeout_ms, row.workflow_deadline_epoch_ms) == (3000, None)
    assert (row.queue_partition_key, row.class_name, row.config_name) == ("north", "Shop", "berlin")
    assert (row.authenticated_user, row.authenticated_roles) == ("ada", ["admin"])
    assert row.attributes == {"customer": 1, "dbos.otelContext": {"traceparent": "00-1-2-01"}}
    assert row.application_name == "shop"


def test_a_row_without_options_belongs_to_nobody(alone: DBOSClient) -> None:
    row = alone.enqueue(TRIPLE, 1).get_status()
    assert (row.application_name, row.app_version, row.executor_id) == (None, None, None)
    assert (row.parent_workflow_id, row.recovery_attempts) == (None, 0)


def test_a_second_holder_of_a_deduplication_id_is_refused_or_led_to_the_first(
    alone: DBOSClient,
) -> None:
    first = alone.enqueue(options(deduplication_id="one"), 1)
    with pytest.raises(DBOSQueueDeduplicatedError):
        alone.enqueue(options(deduplication_id="one"), 2)
    again = alone.enqueue(options(deduplication_id="one", duplication_policy="return-existing"), 2)
    assert again.workflow_id == first.workflow_id


def test_an_id_in_use_is_attached_to_or_refused(alone: DBOSClient) -> None:
    alone.enqueue(options(workflow_id="chosen"), 1)
    assert alone.enqueue(options(workflow_id="chosen"), 2).workflow_id == "chosen"
    with pytest.raises(DBOSWorkflowIDInUseError):
        alone.enqueue(options(workflow_id="chosen", workflow_id_reuse_policy="reject"), 1)
    with pytest.raises(DBOSConflictingWorkflowError):
        alone.enqueue(options(workflow_id="chosen", workflow_name="another"), 1)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"queue_name": "jobs"}, "workflow_name"),
        ({"workflow_name": "w"}, "queue_name"),
        ({**TRIPLE, "shard_key": "s"}, "shard_key"),
        ({**TRIPLE, "priority": 0}, "Invalid priority"),
        ({**TRIPLE, "workflow_id": " "}, "Invalid workflow ID"),
        ({**TRIPLE, "duplication_policy": "return-existing"}, "requires a deduplication_id"),
    ],
)
def test_impossible_options_are_refused_by_name(
    alone: DBOSClient, given: EnqueueOptions, complaint: str
) -> None:
    with pytest.raises(DBOSException, match=complaint):
        alone.enqueue(given)


def test_it_steers_workflows_while_nothing_runs(alone: DBOSClient) -> None:
    handle = alone.enqueue(TRIPLE, 1)
    alone.cancel_workflow(handle.workflow_id)
    assert handle.get_status().status == "CANCELLED"
    assert alone.resume_workflow(handle.workflow_id).get_status().status == "ENQUEUED"
    fork = alone.fork_workflow(handle.workflow_id, 1)
    assert fork.get_status().forked_from == handle.workflow_id
    assert len(alone.list_queued_workflows()) == 2
    alone.delete_workflows([handle.workflow_id, fork.workflow_id])
    assert alone.list_workflows() == []
    with pytest.raises(DBOSNonExistentWorkflowError):
        alone.retrieve_workflow(handle.workflow_id)


def test_it_waits_for_the_first_of_several(client: DBOSClient) -> None:
    later = client.enqueue(options(delay_seconds=3600), 1)
    soon = client.enqueue(TRIPLE, 2)
    assert client.wait_first([later, soon]) is soon


def test_steps_of_a_workflow_are_listed(client: DBOSClient) -> None:
    handle = client.enqueue(options(workflow_name="client_parent"), 5)
    assert handle.get_result() == f"{handle.workflow_id}-1=15"
    steps = client.list_workflow_steps(handle.workflow_id)
    assert [each["function_name"] for each in steps] == ["client_triple", "DBOS.getResult"]
    child = client.retrieve_workflow(f"{handle.workflow_id}-1").get_status()
    assert child.parent_workflow_id == handle.workflow_id


def test_a_client_with_a_name_sees_its_own_and_what_nobody_owns(
    alone: DBOSClient, make_client: MakeClient
) -> None:
    for application in ("shop", "bank", None):
        alone.enqueue(options(application_name=application, workflow_id=f"of-{application}"), 1)
    shop = make_client(application_name="shop")
    shop.enqueue(options(workflow_id="by-shop"), 1)
    seen = {each.workflow_id for each in shop.list_workflows()}
    assert seen == {"of-shop", "of-None", "by-shop"}
    assert len(alone.list_workflows()) == 4
    assert shop.retrieve_workflow("by-shop").get_status().application_name == "shop"


def test_a_client_called_by_a_workflow_leaves_no_trace_in_it(client: DBOSClient) -> None:
    @DBOS.workflow(name="client_in_workflow")
    def calls() -> int:
        found: int = client.enqueue(TRIPLE, 3).get_result()
        client.list_workflows()
        return found

    handle = DBOS.start_workflow(calls)
    assert handle.get_result() == 9
    assert client.list_workflow_steps(handle.workflow_id) == []


def test_destroying_leaves_no_thread_and_no_way_back(
    alone: DBOSClient, make_client: MakeClient
) -> None:
    alone.destroy()
    assert engine_threads() == []
    with pytest.raises(DBOSException, match="destroyed"):
        alone.list_workflows()


def test_destroying_closes_every_connection(postgres_server: Server) -> None:
    with postgres_server.fresh_database() as url:
        database = open_database(url)
        migrate(database)
        client = DBOSClient(system_database_url=url, use_listen_notify=True)
        client.enqueue(options(workflow_id="chosen"), 1)
        client.send("chosen", "hello")
        client.destroy()
        with database.reading() as session:
            others = Statement(
                "SELECT COUNT(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            eventually(lambda: session.one(others) == (0,))
        database.close()


def test_waiting_ends_when_the_client_is_destroyed(alone: DBOSClient) -> None:
    handle = alone.enqueue(TRIPLE, 1)
    ended: list[BaseException] = []

    def wait() -> None:
        try:
            handle.get_result()
        except DBOSException as error:
            ended.append(error)

    waiting = threading.Thread(target=wait)
    waiting.start()
    alone.destroy()
    waiting.join(5)
    assert len(ended) == 1


def test_a_lazy_client_connects_with_its_first_call(
    database_url: str, make_client: MakeClient
) -> None:
    lazy = make_client(lazy=True)
    assert engine_threads() == []
    with pytest.raises(Exception, match=r"migrate|no such file"):
        lazy.list_workflows()


def test_an_unreachable_database_is_named(sqlite_url: str) -> None:
    with pytest.raises(DatabaseUnreachableError, match="no such file"):
        DBOSClient(system_database_url=sqlite_url)
    with pytest.raises(DBOSException, match="system_database_url"):
        DBOSClient()


def test_a_connection_can_be_checked(alone: DBOSClient) -> None:
    alone.check_connection()
