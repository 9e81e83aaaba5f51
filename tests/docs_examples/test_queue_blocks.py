"""The blocks of the prompt on queues, clients and transactions."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine import current_engine
from tests.docs_examples.pages import NAME, Page, echo, latest, of, steps_of
from tests.support.eventually import next_millisecond


@of("python-prompt-41", "python-prompt-45", "python-prompt-46", "python-prompt-48")
def test_a_queue_is_declared_with_its_limits(page: Page) -> None:
    page.launch().run()
    limits = {
        "python-prompt-45": ("worker_concurrency", 5),
        "python-prompt-46": ("concurrency", 10),
        "python-prompt-48": ("limiter", {"limit": 50, "period": 30}),
    }
    name, value = limits.get(page.block.name, ("concurrency", None))
    assert getattr(DBOS.retrieve_queue("example_queue"), name) == value


@of("python-prompt-42")
def test_what_is_enqueued_has_a_handle(page: Page) -> None:
    page.launch().run()
    assert page.handle.get_result() is None
    assert page.handle.get_status().input["args"] == (page.task,)


@of("python-prompt-43")
def test_tasks_of_a_queue_run_at_once_and_are_awaited(page: Page) -> None:
    page.run().launch()
    assert page.process_tasks([1, 2, 3]) == [None] * 3
    mine = DBOS.list_workflows(name="process_task", app_version=DBOS.application_version)
    assert [run.queue_name for run in mine] == ["example_queue"] * 3


@of("python-prompt-44")
def test_another_application_enqueues_by_names(page: Page) -> None:
    DBOS.workflow(name="data_pipeline")(lambda task: f"did {task}")
    page.launch().given(task="a task")
    DBOS.register_queue("pipeline_queue")
    page.run()
    page.client.destroy()
    assert page.result == "did a task"


@of("python-prompt-47")
def test_events_are_processed_in_the_order_of_their_arrival(page: Page) -> None:
    page.run().launch()
    for number in range(3):
        page.event_endpoint(f"event {number}")
        next_millisecond()
    runs = DBOS.list_workflows(queue_name="in_order_queue")
    for run in runs:
        DBOS.get_result(run.workflow_id)
    assert [run.input["args"][0] for run in runs] == ["event 0", "event 1", "event 2"]
    starts = [DBOS.get_workflow_status(run.workflow_id).dequeued_at for run in runs]
    assert starts == sorted(starts)


@of("python-prompt-50")
def test_a_partition_belongs_to_a_user(page: Page) -> None:
    page.given(Task=str).run().launch()
    page.on_user_task_submission("ada", "a task")
    status = DBOS.get_workflow_status(latest("process_task"))
    assert status.queue_partition_key == "ada"
    DBOS.get_result(status.workflow_id)


@of("python-prompt-51")
def test_two_levels_of_queues_limit_partitions_and_all(page: Page) -> None:
    page.given(Task=str).run().launch()
    page.on_user_task_submission("ada", "a task")
    DBOS.get_result(latest("concurrency_manager"))
    assert DBOS.get_workflow_status(latest("process_task")).queue_name == "concurrency-queue"


@of("python-prompt-52")
def test_a_second_one_with_the_same_deduplication_id_is_refused(page: Page) -> None:
    """Its handler is a comment: here it keeps the error."""
    page.code = f"{page.code.rstrip()}\n        refused.append(e)\n"
    page.given(example_workflow=echo("example"), refused=(refused := []))
    DBOS.listen_queues([])
    page.launch().run().run()
    assert [type(error).__name__ for error in refused] == ["DBOSQueueDeduplicatedError"]


@of("python-prompt-53")
def test_a_lower_number_is_dequeued_first(page: Page) -> None:
    page.given(task_workflow=echo("task"), first_workflow=echo("first"), tasks=[1, 2])
    page.launch().run()
    found = DBOS.list_workflows(queue_name="priority_queue")
    assert sorted(run.priority for run in found) == [1, 10, 10]


@of("python-prompt-54")
@pytest.mark.parametrize("worker", ["cpu", "gpu"])
def test_a_worker_listens_to_the_queues_of_its_kind(page: Page, worker: str) -> None:
    """An assignment stands in it where a comparison is meant, and an ellipsis for its values."""
    page.code = page.code.replace('if worker_type = "gpu"', 'if worker_type == "gpu"')
    page.code = page.code.replace("worker_type = ... # \"cpu' or 'gpu'", "worker_type = kind")
    page.code = page.code.replace("DBOSConfig = ...", "DBOSConfig = chosen")
    page.given(kind=worker, chosen={"name": NAME, "system_database_url": page.url})
    page.run(as_main=True)
    mine = page.names[f"{worker}_queue"]
    other = page.names["gpu_queue" if worker == "cpu" else "cpu_queue"]
    assert mine.enqueue(echo("x"), 1).get_result() == ["x", 1]
    left = other.enqueue(echo("y"), 2)
    assert mine.enqueue(echo("z"), 3).get_result() == ["z", 3]
    assert left.get_status().status == "ENQUEUED"
    DBOS.delete_workflow(left.workflow_id)


@of("python-prompt-78", "python-prompt-79")
def test_a_transaction_reads_what_another_one_wrote(page: Page) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    for name in ("Table", "MetaData", "Column", "String", "select", "text"):
        page.names[name] = getattr(sqlalchemy, name)
    page.run().launch()
    greet(page)
    with SetWorkflowID(page.block.name):
        assert DBOS.workflow(name="greets")(lambda: wrote_and_read(page))() == "hello"
    assert steps_of(page.block.name) == ["example_insert", "example_select"]


def wrote_and_read(page: Page) -> Any:
    page.example_insert("ada", "hello")
    return page.example_select("ada")


def greet(page: Page) -> None:
    """Make the table of the example, empty."""
    sql = page.names["text"]

    @DBOS.transaction()
    def create() -> None:
        DBOS.sql_session.execute(sql("DROP TABLE IF EXISTS greetings"))
        DBOS.sql_session.execute(sql("CREATE TABLE greetings (name TEXT, note TEXT)"))

    create()
    assert current_engine.is_launched()
