"""Django's tasks are durable workflows: enqueued with a transaction, run by workers, told of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.utils import timezone
from django_tasks import TaskResultStatus, default_task_backend
from django_tasks.exceptions import InvalidTaskError, TaskResultDoesNotExist
from django_tasks.signals import task_enqueued, task_finished, task_started

from dboshub import DBOS
from dboshub.error import DBOSAwaitedWorkflowCancelledError
from dboshub.runtime import worker_setup
from dboshub.workflows.connection import atomic
from tests.support.eventually import eventually
from tests.support.leaks import assert_no_thread_but, threads
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db(transaction=True)
SAMPLES = ("pack", "fly", "count", "lose", "return_it")


@pytest.fixture
def url() -> str:
    """The URL of the database that Django's connection is on."""
    given = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{given['NAME']}"
    return f"postgresql://{given['USER']}@{given['HOST']}:{given['PORT']}/{given['NAME']}"


@pytest.fixture
def tasks(url: str, settings: Any) -> Iterator[Any]:
    """The sample tasks in a project that enqueues them and runs nothing."""
    known = threads()
    settings.DBOS_SYSTEM_DATABASE_URL = url
    settings.DBOS_CONFIG = {"name": "task-app"}
    settings.TASKS = {
        "default": {
            "BACKEND": "dboshub.tasks.WorkflowTaskBackend",
            "QUEUES": ["default", "urgent"],
        }
    }
    from tests.integrations import sample_tasks

    for each in SAMPLES:
        default_task_backend.validate_task(getattr(sample_tasks, each))
    sample_tasks.ran.clear()
    yield sample_tasks
    DBOS.destroy(grace_period_sec=2)
    assert_no_thread_but(known)


@pytest.fixture
def worker(tasks: Any, url: str) -> Any:
    DBOS(config={"name": "task-app", "system_database_url": url})
    DBOS.launch()
    return tasks


def ended(result: Any) -> Any:
    def look() -> bool:
        result.refresh()
        return bool(result.is_finished)

    eventually(look, timeout=20)
    return result


def test_a_task_enqueued_where_nothing_runs_is_run_by_a_worker(tasks: Any, url: str) -> None:
    result = tasks.pack.enqueue("a lamp", gift=True)
    assert result.status == TaskResultStatus.READY
    result.refresh()
    assert (result.status, result.args, result.kwargs, result.attempts) == (
        TaskResultStatus.READY,
        ["a lamp"],
        {"gift": True},
        0,
    )
    DBOS(config={"name": "task-app", "system_database_url": url})
    DBOS.launch()
    assert ended(result).return_value == {"weight": 6, "gift": True}
    assert result.attempts == 1
    assert result.enqueued_at <= result.started_at <= result.finished_at
    [status] = DBOS.list_workflows(name="tests.integrations.sample_tasks.pack")
    assert status.queue_name == "default"
    [step] = DBOS.list_workflow_steps(status.workflow_id)
    assert step["function_name"] == "weigh"


def test_a_task_goes_with_the_transaction_it_is_enqueued_in(tasks: Any) -> None:
    with transaction.atomic():
        lost = tasks.pack.enqueue("lost")
        transaction.set_rollback(True)
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(lost.id)
    with transaction.atomic():
        kept = tasks.pack.enqueue("kept")
    assert tasks.pack.get_result(kept.id).status == TaskResultStatus.READY


def test_priority_queue_and_time_are_those_of_the_task(worker: Any) -> None:
    later = worker.pack.using(priority=-100, run_after=timezone.now() + timedelta(hours=1)).enqueue(
        "later"
    )
    status = DBOS.retrieve_workflow(later.id).get_status()
    assert (status.status, status.priority) == ("DELAYED", 201)
    assert status.delay_until_epoch_ms > later.enqueued_at.timestamp() * 1000 + 3_500_000
    later.refresh()
    assert later.status == TaskResultStatus.READY
    assert worker.pack.get_result(later.id).task.priority == -100
    past = worker.fly.using(run_after=timezone.now() - timedelta(hours=1)).enqueue("it")
    assert ended(past).return_value == "it flew"
    status = DBOS.retrieve_workflow(past.id).get_status()
    assert (status.queue_name, status.priority) == ("urgent", 91)
    with pytest.raises(InvalidTaskError):
        worker.pack.using(queue_name="nowhere")
    with pytest.raises(InvalidTaskError):
        worker.pack.using(priority=101)


async def test_tasks_are_enqueued_and_looked_for_by_coroutines(tasks: Any) -> None:
    result = await tasks.fly.aenqueue("it")
    assert (await tasks.fly.aget_result(result.id)).status == TaskResultStatus.READY
    await sync_to_async(connections.close_all)()  # those of the thread that stood in


def test_a_task_may_know_of_its_attempt(worker: Any) -> None:
    assert ended(worker.count.enqueue(3)).return_value == [1, True, 3]


def test_a_failed_task_tells_what_it_raised_and_where(worker: Any) -> None:
    result = ended(worker.lose.enqueue("it"))
    assert result.status == TaskResultStatus.FAILED
    [error] = result.errors
    assert error.exception_class is LookupError
    assert "where is it?" in error.traceback
    assert "sample_tasks.py" in error.traceback
    [unfit] = ended(worker.return_it.enqueue("x")).errors
    assert unfit.exception_class is TypeError


def test_a_cancelled_task_has_failed(worker: Any) -> None:
    result = worker.pack.using(run_after=timezone.now() + timedelta(hours=1)).enqueue("x")
    DBOS.cancel_workflow(result.id)
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert result.errors[0].exception_class is DBOSAwaitedWorkflowCancelledError


def test_signals_tell_of_each_turn(worker: Any) -> None:
    told: list[tuple[str, str]] = []

    def hear(kind: str) -> Any:
        def receive(sender: Any, task_result: Any, **more: Any) -> None:
            told.append((kind, task_result.status))

        return receive

    receivers = {
        "enqueued": (task_enqueued, hear("enqueued")),
        "started": (task_started, hear("started")),
        "finished": (task_finished, hear("finished")),
    }
    for signal, receiver in receivers.values():
        signal.connect(receiver)
    try:
        ended(worker.pack.enqueue("x"))
    finally:
        for signal, receiver in receivers.values():
            signal.disconnect(receiver)
    # A worker may begin before the process that enqueued has told of it.
    assert sorted(told) == [
        ("enqueued", "READY"),
        ("finished", "SUCCESSFUL"),
        ("started", "RUNNING"),
    ]
    assert told.index(("started", "RUNNING")) < told.index(("finished", "SUCCESSFUL"))


def test_only_tasks_have_results_and_pickles_stay_shut(tasks: Any) -> None:
    with atomic() as session:
        add_workflow(session, "other", name="checkout")
        add_workflow(session, "pickled", name="tests.integrations.sample_tasks.pack", output=5)
    for unknown in ("nobody", "other"):
        with pytest.raises(TaskResultDoesNotExist):
            default_task_backend.get_result(unknown)
    assert tasks.pack.get_result("pickled").return_value is None


def test_workers_import_the_tasks_of_apps_where_they_run_them(
    tasks: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_for: list[str] = []

    def has_none(_app: Any, name: str) -> bool:
        looked_for.append(name)
        return False

    monkeypatch.setattr(worker_setup, "module_has_submodule", has_none)
    worker_setup.import_workflows([])
    assert {*looked_for} == {"workflows", "tasks"}
    looked_for.clear()
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}
    worker_setup.import_workflows([])
    assert {*looked_for} == {"workflows"}
    settings.TASKS = {"default": {"BACKEND": "dboshub.tasks.WorkflowTaskBackend"}}
