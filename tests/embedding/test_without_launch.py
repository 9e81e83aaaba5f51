"""In a Django process that launches nothing, calls work on Django's connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction

from dboshub import DBOS, Queue, SendMessage, SetEnqueueOptions, SetWorkflowID, WorkflowCall
from dboshub.error import (
    DBOSAwaitedWorkflowCancelledError,
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSQueueDeduplicatedError,
)
from dboshub.runtime.django_client import process_client
from dboshub.runtime.worker_setup import configuration
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.models import Message, Workflow
from tests.support.eventually import eventually
from tests.support.leaks import assert_no_thread_but, threads

pytestmark = pytest.mark.django_db(transaction=True)

queue = Queue("django-process")


@DBOS.step()
def doubled(number: int) -> int:
    return 2 * number


@DBOS.workflow()
def double_without_launch(number: int) -> int:
    DBOS.set_event("seen", number)
    return doubled(number)


@DBOS.workflow()
def scheduled_without_launch(scheduled_at: datetime, context: Any) -> None: ...


@DBOS.workflow()
def wait_without_launch() -> str:
    return str(DBOS.recv("word", timeout_seconds=20))


@DBOS.workflow()
def fail_without_launch() -> None:
    raise LookupError("nothing here")


@pytest.fixture(autouse=True)
def project(settings: Any) -> Iterator[None]:
    """A project that names no URL, as somebody else's does."""
    known = threads()
    DBOS.destroy()
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    settings.DBOS_CONFIG = {"name": "django-process"}
    yield
    DBOS.destroy(grace_period_sec=2)
    assert_no_thread_but(known)


@pytest.fixture
def work() -> Callable[[], None]:
    """Launch a worker in this process; what is enqueued then runs."""

    def launch() -> None:
        DBOS(config=configuration())
        DBOS.launch()

    return launch


def rows(**wanted: Any) -> list[str]:
    return [*Workflow.objects.filter(**wanted).order_by("created_at").values_list("pk", flat=True)]


def status_elsewhere(workflow_id: str) -> str | None:
    """The status that another connection sees."""
    found: list[str | None] = []

    def look() -> None:
        try:
            row = Workflow.objects.filter(pk=workflow_id).values_list("status", flat=True)
            found.append(row.first())
        finally:
            connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found[0]


def test_what_is_started_or_enqueued_runs_on_a_worker(work: Callable[[], None]) -> None:
    by_function = DBOS.start_workflow(double_without_launch, 1)
    by_name = DBOS.start_workflow("double_without_launch", 2)
    on_queue = queue.enqueue(double_without_launch, 3)
    by_queue_name = DBOS.enqueue_workflow("django-process", double_without_launch, number=4)
    by_options = DBOS.enqueue_workflow_with_options(
        {"workflow_name": "double_without_launch", "queue_name": "django-process"}, 5
    )
    step = queue.enqueue(doubled, 6)
    handles = [by_function, by_name, on_queue, by_queue_name, by_options, step]
    assert {each.get_status().status for each in handles} == {"ENQUEUED"}
    assert by_function.get_status().queue_name == by_name.get_status().queue_name
    work()
    assert [each.get_result() for each in handles] == [2, 4, 6, 8, 10, 12]
    assert {each.application_name for each in DBOS.list_workflows()} == {"django-process"}


def test_a_result_is_waited_for_without_a_launch(work: Callable[[], None]) -> None:
    handle = DBOS.start_workflow(double_without_launch, 21)
    failed = DBOS.start_workflow(fail_without_launch)
    client = process_client.client().engine
    found: dict[str, Any] = {}

    def wait() -> None:
        from dboshub.workflows.engine.current_engine import using_client

        try:
            with using_client(process_client.client().context):
                found["result"] = DBOS.retrieve_workflow(handle.workflow_id).get_result()
                found["event"] = DBOS.get_event(handle.workflow_id, "seen", timeout_seconds=10)
                try:
                    DBOS.retrieve_workflow(failed.workflow_id).get_result()
                except LookupError as error:
                    found["error"] = str(error)
        finally:
            connection.close()

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: len(client.waits) == 1)
    work()
    thread.join(20)
    assert found == {"result": 42, "event": 21, "error": "nothing here"}


def test_a_wait_for_an_event_ends_with_its_time() -> None:
    handle = DBOS.start_workflow(double_without_launch, 1)
    assert DBOS.get_event(handle.workflow_id, "seen", timeout_seconds=0.2) is None


def test_nothing_started_in_a_transaction_is_there_before_it_commits() -> None:
    with transaction.atomic():
        started = DBOS.start_workflow(double_without_launch, 1)
        enqueued = queue.enqueue(double_without_launch, 2)
        assert started.get_status().status == "ENQUEUED"
        assert len(DBOS.list_workflows(name="double_without_launch")) == 2
        if connection.vendor == "postgresql":
            assert status_elsewhere(started.workflow_id) is None
    assert status_elsewhere(started.workflow_id) == "ENQUEUED"
    assert sorted(rows()) == sorted([started.workflow_id, enqueued.workflow_id])


def test_many_are_enqueued_in_a_transaction_or_undone_with_it(work: Callable[[], None]) -> None:
    calls = [WorkflowCall(double_without_launch, each) for each in range(3)]
    held = WorkflowCall(double_without_launch, 3).options(deduplication_id="one")
    with transaction.atomic():
        queue.enqueue_workflows(calls)
        transaction.set_rollback(True)
    assert rows() == []
    with transaction.atomic():
        handles = queue.enqueue_workflows([*calls, held], atomic=True)
        handles += DBOS.start_workflows(calls, atomic=True)
        with pytest.raises(DBOSQueueDeduplicatedError):
            queue.enqueue_workflows([*calls, held], atomic=True)
        if connection.vendor == "postgresql":
            assert status_elsewhere(handles[0].workflow_id) is None
    assert sorted(rows()) == sorted(each.workflow_id for each in handles)
    work()
    assert [each.get_result() for each in handles] == [0, 2, 4, 6, 0, 2, 4]


def test_what_is_done_in_a_transaction_is_undone_with_it() -> None:
    first = DBOS.start_workflow(double_without_launch, 1)
    second = DBOS.start_workflow(wait_without_launch)
    cancelled = DBOS.start_workflow(double_without_launch, 3)
    DBOS.cancel_workflow(cancelled.workflow_id)
    with transaction.atomic():
        DBOS.cancel_workflow(first.workflow_id)
        DBOS.send(second.workflow_id, "hello", topic="word")
        DBOS.resume_workflow(cancelled.workflow_id)
        forked = DBOS.fork_workflow(cancelled.workflow_id, 1)
        queue.enqueue(double_without_launch, 2)
        assert first.get_status().status == "CANCELLED"
        assert cancelled.get_status().status == "ENQUEUED"
        assert forked.get_status().forked_from == cancelled.workflow_id
        transaction.set_rollback(True)
    assert first.get_status().status == "ENQUEUED"
    assert cancelled.get_status().status == "CANCELLED"
    assert Message.objects.count() == 0
    assert Workflow.objects.count() == 3


def test_what_is_done_in_a_transaction_is_done_with_it(work: Callable[[], None]) -> None:
    waiting = DBOS.start_workflow(wait_without_launch)
    other = DBOS.start_workflow(wait_without_launch)
    lost = DBOS.start_workflow(double_without_launch, 1)
    with transaction.atomic():
        DBOS.send(waiting.workflow_id, "hello", topic="word")
        DBOS.send_bulk([SendMessage(other.workflow_id, "you", "word")])
        DBOS.cancel_workflow(lost.workflow_id)
        with SetWorkflowID("chosen"):
            queue.enqueue(double_without_launch, 4)
    work()
    assert (waiting.get_result(), other.get_result()) == ("hello", "you")
    assert DBOS.retrieve_workflow("chosen").get_result() == 8
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        lost.get_result()


def test_a_refusal_leaves_the_callers_transaction_usable() -> None:
    with transaction.atomic():
        with pytest.raises(DBOSNonExistentWorkflowError):
            DBOS.send("nobody", "hello")
        with SetEnqueueOptions(deduplication_id="only"):
            queue.enqueue(double_without_launch, 1)
        with SetEnqueueOptions(deduplication_id="only"), pytest.raises(DBOSQueueDeduplicatedError):
            queue.enqueue(double_without_launch, 2)
        with pytest.raises(DBOSNonExistentWorkflowError):
            DBOS.resume_workflow("nobody")
        kept = queue.enqueue(double_without_launch, 3)
    assert status_elsewhere(kept.workflow_id) == "ENQUEUED"


def test_nobody_waits_for_ever_within_a_transaction() -> None:
    with transaction.atomic():
        handle = queue.enqueue(double_without_launch, 1)
        with pytest.raises(DBOSException, match=r"Leave transaction\.atomic\(\) first"):
            handle.get_result()
        assert DBOS.get_event(handle.workflow_id, "seen", timeout_seconds=0) is None
        DBOS.cancel_workflow(handle.workflow_id)
        with pytest.raises(DBOSAwaitedWorkflowCancelledError):
            handle.get_result()


def test_a_wait_with_an_end_is_refused_where_it_would_keep_others_from_writing() -> None:
    with transaction.atomic():
        handle = queue.enqueue(double_without_launch, 1)
        if connection.vendor == "postgresql":
            assert DBOS.get_event(handle.workflow_id, "seen", timeout_seconds=0.1) is None
        else:
            with pytest.raises(DBOSException, match="SQLite shows it no later commit"):
                DBOS.get_event(handle.workflow_id, "seen", timeout_seconds=0.1)


def test_a_direct_call_says_who_could_run_it() -> None:
    with pytest.raises(DBOSException, match=r"DBOS\.start_workflow\(double_without_launch, …\)"):
        double_without_launch(1)
    assert rows() == []


def test_options_that_only_a_queue_understands_are_refused_for_a_start() -> None:
    with (
        SetEnqueueOptions(priority=3),
        pytest.raises(DBOSException, match="priority set on a workflow"),
    ):
        DBOS.start_workflow(double_without_launch, 1)


def test_once_configured_it_is_to_be_launched() -> None:
    DBOS(config=configuration())
    with pytest.raises(DBOSException, match="before DBOS was launched"):
        DBOS.list_workflows()


def test_calls_go_to_the_engine_once_one_is_launched_and_back(work: Callable[[], None]) -> None:
    before = DBOS.start_workflow(double_without_launch, 1)
    work()
    assert before.get_result() == 2
    assert double_without_launch(5) == 10
    assert DBOS.executor_id == "local"
    DBOS.destroy()
    assert before.get_status().status == "SUCCESS"
    assert before.get_result() == 2
    with pytest.raises(DBOSException, match="executes no workflows"):
        double_without_launch(5)


def test_lists_steps_queues_and_schedules_are_read_and_changed(work: Callable[[], None]) -> None:
    DBOS.register_queue("made-here", worker_concurrency=3)
    assert [each.name for each in DBOS.list_queues()] == ["made-here"]
    made = DBOS.retrieve_queue("made-here")
    assert made is not None
    made.set_worker_concurrency(4)
    assert made.worker_concurrency == 4
    assert queue.concurrency is None
    DBOS.create_schedule(
        schedule_name="nightly", workflow_fn=scheduled_without_launch, schedule="0 3 * * *"
    )
    DBOS.pause_schedule("nightly")
    assert [each["status"] for each in DBOS.list_schedules()] == ["PAUSED"]
    DBOS.delete_queue("made-here")
    handle = DBOS.start_workflow(double_without_launch, 1)
    assert DBOS.list_workflow_steps(handle.workflow_id) == []
    assert [each.workflow_id for each in DBOS.list_queued_workflows()] == [handle.workflow_id]
    DBOS.delete_workflow(handle.workflow_id)
    assert rows() == []


async def test_coroutines_await_the_same_calls() -> None:
    handle = await DBOS.start_workflow_async(double_without_launch, 1)
    enqueued = await queue.enqueue_async(double_without_launch, 2)
    assert (await handle.get_status()).status == "ENQUEUED"
    await DBOS.cancel_workflow_async(enqueued.workflow_id)
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        await enqueued.get_result()
    assert await DBOS.get_event_async(handle.workflow_id, "seen", timeout_seconds=0.1) is None
    found = await DBOS.list_workflows_async(status="CANCELLED")
    assert [each.workflow_id for each in found] == [enqueued.workflow_id]
    with pytest.raises(RuntimeError, match="while an event loop is running"):
        DBOS.list_workflows()
    await sync_to_async(connections.close_all)()


def test_many_threads_make_one_client() -> None:
    clients: list[Any] = []
    begin = threading.Barrier(8)

    def call() -> None:
        try:
            begin.wait()
            queue.enqueue(double_without_launch, 1)
            clients.append(process_client.client())
        finally:
            connection.close()

    callers = [threading.Thread(target=call) for _ in range(8)]
    for each in callers:
        each.start()
    for each in callers:
        each.join()
    assert len({id(each) for each in clients}) == 1
    assert len(rows()) == 8


def test_a_forked_child_makes_its_own() -> None:
    """As behind gunicorn's --preload, where the parent has already called."""
    queue.enqueue(double_without_launch, 1)
    mine = process_client.client()
    connections.close_all()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            handle = queue.enqueue(double_without_launch, 2)
            ended = DBOS.get_event(handle.workflow_id, "seen", timeout_seconds=0.1)
            code = 0 if ended is None and process_client.client() is not mine else 2
            connections.close_all()
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(rows()) == 2
    assert process_client.client() is mine


def test_the_worker_opens_the_database_of_the_alias() -> None:
    assert configuration()["system_database_url"] == url_of_alias("default")


def test_a_launched_engine_joins_transactions_as_well(work: Callable[[], None]) -> None:
    first = DBOS.start_workflow(wait_without_launch)
    work()
    eventually(lambda: first.get_status().status == "PENDING")
    delayed = {"workflow_name": "double_without_launch", "queue_name": "django-process"}
    second = DBOS.enqueue_workflow_with_options({**delayed, "delay_seconds": 600}, 1)  # type: ignore[typeddict-item]
    with transaction.atomic():
        DBOS.cancel_workflow(first.workflow_id)
        DBOS.cancel_workflow(second.workflow_id)
        assert {each.status for each in DBOS.list_workflows()} == {"CANCELLED"}
        transaction.set_rollback(True)
    assert second.get_status().status == "DELAYED"
    DBOS.send(first.workflow_id, "still here", topic="word")
    assert first.get_result() == "still here"
    with transaction.atomic():
        DBOS.cancel_workflow(second.workflow_id)
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        second.get_result()


def test_a_url_of_the_settings_leads_past_a_pooler_to_the_same_database(settings: Any) -> None:
    """The worker's engine then still shares Django's transactions."""
    from dboshub.workflows.django_transaction import alias_of
    from dboshub.workflows.storage.database import open_database

    here = url_of_alias("default")
    if connection.vendor == "sqlite":
        elsewhere = here
    else:
        elsewhere = here.replace("127.0.0.1", "localhost")
        assert elsewhere != here
        opened = open_database(elsewhere)
        assert alias_of(opened) is None
        opened.close()
    settings.DBOS_SYSTEM_DATABASE_URL = elsewhere
    opened = open_database(elsewhere)
    assert alias_of(opened) == "default"
    opened.close()
