"""The public API of queues on a launched engine: declare, register, enqueue, change, delete."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from dboshub.config import checked
from dboshub.queues.api.facade import QueuesAPI
from dboshub.queues.engine.queue import Queue
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.runtime.lifecycle import Runtime
from dboshub.workflows.api.workflows import WorkflowsAPI
from dboshub.workflows.engine.errors import DBOSException, DBOSQueueDeduplicatedError
from dboshub.workflows.engine.options import SetEnqueueOptions
from dboshub.workflows.engine.registration.registry import registry
from tests.support.eventually import eventually


class DBOS(WorkflowsAPI, QueuesAPI):
    """The two parts of the public class these tests are about."""


@DBOS.step()
def queue_double(number: int) -> int:
    return 2 * number


@DBOS.workflow()
def queue_quadruple(number: int) -> int:
    return queue_double(queue_double(number))


@DBOS.workflow()
def queue_fan_out(name: str, count: int) -> list[int]:
    handles = [DBOS.enqueue_workflow(name, queue_quadruple, number) for number in range(count)]
    return [handle.get_result() for handle in handles]


@DBOS.workflow()
async def queue_async_quadruple(number: int) -> int:
    return queue_double(number) * 2


@pytest.fixture
def launch(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Runtime]]:
    """Launch an engine on a database of the test's own; it ends with the test."""
    # Declarations of other modules in this process are restored afterwards.
    monkeypatch.setattr(queue_registry, "_declared", {})
    launched: list[Runtime] = []

    def start(**config: Any) -> Runtime:
        runtime = Runtime(
            checked({"name": "queue-tests", "system_database_url": database_url, **config}),  # type: ignore[typeddict-item]
            registry,
            DBOS.listened_queues(),
        )
        launched.append(runtime)
        runtime.start()
        return runtime

    yield start
    for runtime in launched:
        stop(runtime)
    DBOS.forget_queues(declared=True)


def stop(runtime: Runtime) -> None:
    runtime.stop(completion_timeout=0, grace=2)


def test_workflows_and_steps_are_enqueued_on_a_declared_queue(
    launch: Callable[..., Runtime],
) -> None:
    queue = Queue("declared", worker_concurrency=3)
    launch()
    assert queue.enqueue(queue_quadruple, 3).get_result() == 12
    assert queue.enqueue(queue_double, 3).get_result() == 6


def test_a_queue_declared_after_launch_is_registered_at_once(
    launch: Callable[..., Runtime],
) -> None:
    launch()
    queue = Queue("late", concurrency=2)
    assert queue.concurrency == 2
    assert queue.enqueue(queue_quadruple, 1).get_result() == 4


def test_a_registered_queue_is_enqueued_on_by_name(launch: Callable[..., Runtime]) -> None:
    launch()
    queue = DBOS.register_queue("named", limiter={"limit": 50, "period": 1.5})
    assert queue.limiter == {"limit": 50, "period": 1.5}
    assert DBOS.enqueue_workflow("named", queue_quadruple, 2).get_result() == 8
    assert queue.enqueue(queue_quadruple, 5).get_result() == 20


async def test_the_awaited_twins_do_the_same(launch: Callable[..., Runtime]) -> None:
    launch()
    queue = await DBOS.register_queue_async("awaited", global_concurrency=4)
    handle = await queue.enqueue_async(queue_async_quadruple, 2)
    assert await handle.get_result() == 8
    handle = await DBOS.enqueue_workflow_async("awaited", queue_quadruple, 3)
    assert await handle.get_result() == 12
    await queue.set_worker_concurrency_async(2)
    assert await queue.get_worker_concurrency_async() == 2
    assert [each.name for each in await DBOS.list_queues_async()] == ["awaited"]
    handle = queue.enqueue(queue_quadruple, 1)  # it blocks the loop, but not for long
    assert handle.get_result() == 4


def test_a_workflow_fans_out_over_a_queue(launch: Callable[..., Runtime]) -> None:
    launch()
    DBOS.register_queue("fan", worker_concurrency=4)
    handle = DBOS.start_workflow(queue_fan_out, "fan", 10)
    assert handle.get_result() == [4 * number for number in range(10)]
    steps = DBOS.list_workflow_steps(handle.workflow_id)
    assert [step["function_name"] for step in steps[:10]] == ["queue_quadruple"] * 10
    assert [step["child_workflow_id"] for step in steps[:10]] == [
        f"{handle.workflow_id}-{number}" for number in range(1, 11)
    ]


@pytest.mark.usefixtures("plain_script")
def test_limits_are_read_and_set_on_the_row(launch: Callable[..., Runtime]) -> None:
    queue = Queue("limits", concurrency=5, worker_concurrency=2)
    assert (queue.concurrency, queue.worker_concurrency) == (5, 2)
    launch()
    queue.set_global_concurrency(9)
    queue.set_limiter({"limit": 3, "period": 2})
    same = DBOS.retrieve_queue("limits")
    assert (same.concurrency, same.global_concurrency) == (9, 9)
    assert same.limiter == {"limit": 3, "period": 2.0}
    queue.set_limiter(None)
    assert same.limiter is None
    with pytest.raises(ValueError, match="less than or equal"):
        queue.set_worker_concurrency(10)
    assert same.worker_concurrency == 2


async def test_every_limit_reads_and_writes_alike_in_both_worlds(
    launch: Callable[..., Runtime],
) -> None:
    launch()
    queue = await DBOS.register_queue_async("both-worlds")
    await queue.set_global_concurrency_async(9)
    await queue.set_worker_concurrency_async(7)
    await queue.set_partition_concurrency_async(5)
    await queue.set_partition_worker_concurrency_async(3)
    await queue.set_limiter_async({"limit": 8, "period": 2})
    await queue.set_partition_limiter_async({"limit": 4, "period": 2})
    await queue.set_polling_interval_sec_async(0.25)
    awaited = {
        "concurrency": await queue.get_concurrency_async(),
        "global_concurrency": await queue.get_global_concurrency_async(),
        "worker_concurrency": await queue.get_worker_concurrency_async(),
        "partition_concurrency": await queue.get_partition_concurrency_async(),
        "partition_worker_concurrency": await queue.get_partition_worker_concurrency_async(),
        "limiter": await queue.get_limiter_async(),
        "partition_limiter": await queue.get_partition_limiter_async(),
        "polling_interval_sec": await queue.get_polling_interval_sec_async(),
    }
    assert [*awaited.values()] == [
        9,
        9,
        7,
        5,
        3,
        {"limit": 8, "period": 2.0},
        {"limit": 4, "period": 2.0},
        0.25,
    ]
    assert awaited == {name: getattr(queue, name) for name in awaited}


def test_limits_of_partitions_are_set_on_the_row(launch: Callable[..., Runtime]) -> None:
    launch()
    queue = DBOS.register_queue("parts", partition_concurrency=4, polling_interval_sec=0.5)
    queue.set_partition_worker_concurrency(2)
    queue.set_partition_limiter(value={"limit": 6, "period": 3})
    queue.set_polling_interval_sec(0.25)
    same = DBOS.retrieve_queue("parts")
    assert (same.partition_concurrency, same.partition_worker_concurrency) == (4, 2)
    assert (same.partition_limiter, same.polling_interval_sec) == (
        {"limit": 6, "period": 3.0},
        0.25,
    )
    queue.set_partition_worker_concurrency(None)
    queue.set_partition_concurrency(1)
    assert (same.partition_concurrency, same.partition_worker_concurrency) == (1, None)
    with pytest.raises(ValueError, match="partition_worker_concurrency must be less than or equal"):
        queue.set_partition_worker_concurrency(2)
    with pytest.raises(ValueError, match="polling_interval_sec must be positive"):
        queue.set_polling_interval_sec(0)
    with pytest.raises(AttributeError, match="set_polling_interval_sec"):
        queue.polling_interval_sec = 0.1
    with pytest.raises(ValueError, match="positive period"):
        queue.set_partition_limiter({"limit": 1, "period": 0})


def test_an_operators_edit_outlives_a_restart(launch: Callable[..., Runtime]) -> None:
    queue = Queue("edited", concurrency=5)
    first = launch()
    queue.set_concurrency(7)
    stop(first)
    launch()
    assert queue.concurrency == 7


def test_a_deleted_queue_says_so(launch: Callable[..., Runtime]) -> None:
    launch()
    queue = DBOS.register_queue("gone")
    DBOS.delete_queue("gone")
    assert DBOS.retrieve_queue("gone") is None
    with pytest.raises(DBOSException, match="Queue gone not found"):
        _ = queue.concurrency
    with pytest.raises(DBOSException, match="Queue gone not found"):
        queue.set_concurrency(1)
    with pytest.raises(AttributeError):
        _ = queue.colour


def test_a_partitioned_declaration_limits_each_partition(launch: Callable[..., Runtime]) -> None:
    queue = Queue("parts", concurrency=1, partition_queue=True)
    launch()
    assert (queue.concurrency, queue.partition_concurrency) == (None, 1)
    with pytest.raises(DBOSException, match="queue_partition_key"):
        queue.enqueue(queue_quadruple, 1)
    with SetEnqueueOptions(queue_partition_key="ada"):
        assert queue.enqueue(queue_quadruple, 1).get_result() == 4


def test_one_deduplication_id_is_enqueued_once(launch: Callable[..., Runtime]) -> None:
    held = threading.Event()

    @DBOS.workflow(name="queue_holds")
    def holds() -> bool:
        return held.wait(10)

    queue = Queue("dedup")
    launch()
    with SetEnqueueOptions(deduplication_id="only"):
        handle = queue.enqueue(holds)
        with pytest.raises(DBOSQueueDeduplicatedError):
            queue.enqueue(holds)
        held.set()
        assert handle.get_result()
        assert queue.enqueue(holds).get_result()


def test_a_delayed_workflow_runs_when_its_time_has_come(launch: Callable[..., Runtime]) -> None:
    queue = Queue("delayed")
    launch()
    with SetEnqueueOptions(delay_seconds=0.2):
        handle = queue.enqueue(queue_quadruple, 4)
    assert handle.get_result() == 16
    ended: Any = handle.get_status()
    assert ended.delay_until_epoch_ms == ended.created_at + 200
    assert ended.dequeued_at >= ended.delay_until_epoch_ms


def test_a_process_serves_only_what_it_listens_to(launch: Callable[..., Runtime]) -> None:
    mine, theirs = Queue("mine"), Queue("theirs")
    DBOS.listen_queues([mine])
    with pytest.raises(DBOSException, match="called more than once"):
        DBOS.listen_queues(["theirs"])
    launch()
    left = theirs.enqueue(queue_quadruple, 1)
    assert mine.enqueue(queue_quadruple, 1).get_result() == 4
    assert left.get_status().status == "ENQUEUED"
    with pytest.raises(DBOSException, match="after DBOS is launched"):
        DBOS.listen_queues(["theirs"])


def test_worker_concurrency_holds_across_a_real_run(launch: Callable[..., Runtime]) -> None:
    lock, running, most = threading.Lock(), 0, 0
    both = threading.Barrier(2, timeout=10)

    @DBOS.workflow(name="queue_counts")
    def counts() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        with lock:
            running -= 1

    queue = Queue("two", worker_concurrency=2)
    launch()
    for handle in [queue.enqueue(counts) for _ in range(8)]:
        handle.get_result()
    assert most == 2


def test_contradicting_limits_are_refused_where_they_are_written() -> None:
    with pytest.raises(ValueError, match="greater than or equal"):
        Queue("bad", concurrency=1, worker_concurrency=2)
    with pytest.raises(ValueError, match="only one of them"):
        Queue("bad", concurrency=1, global_concurrency=2)
    with pytest.raises(ValueError, match="reserved"):
        Queue("_dbos_internal_queue")
    assert queue_registry.declared("bad") is None


@pytest.mark.usefixtures("plain_script")
def test_nothing_works_before_launch() -> None:
    with pytest.raises(DBOSException, match="before DBOS was launched"):
        DBOS.register_queue("early")
    with pytest.raises(DBOSException, match="before DBOS was launched"):
        DBOS.enqueue_workflow("early", queue_quadruple, 1)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_lost_connection_is_replaced_and_work_goes_on(
    launch: Callable[..., Runtime], database_url: str
) -> None:
    launch()
    queue = DBOS.register_queue("cut")
    assert queue.enqueue(queue_quadruple, 1).get_result() == 4
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    handle = eventually(lambda: queue.enqueue(queue_quadruple, 2))
    assert handle.get_result() == 8
