"""What queues, clients, schedules and declarations refuse, and in which words."""

from __future__ import annotations

import queue
import threading
from contextlib import closing
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from tests.behaviour.cases import DBOS, behaviour, launch, library
from tests.behaviour.failures import words

BOTH = {"deduplication_id": "refused", "queue_partition_key": "k"}
QUEUED = {"queue_name": "unserved", "workflow_name": "refusals_plain"}
LATEST = "update_if_latest_version"


@DBOS.workflow()
def refusals_plain(value: int = 1) -> int:
    return value


@DBOS.workflow()
def refusals_tick(at: datetime, context: Any) -> None: ...


def _client(config: dict[str, Any], **options: Any) -> Any:
    """A client, destroyed at the end of the block."""
    client = library.DBOSClient(system_database_url=config["system_database_url"], **options)
    return closing(SimpleNamespace(calls=client, close=client.destroy))


@behaviour(
    [
        "worker_concurrency must be less than or equal to concurrency",
        "worker_concurrency must be less than or equal to concurrency",
        "partition_concurrency must be less than or equal to global_concurrency",
        "partition_worker_concurrency must be less than or equal to worker_concurrency",
        "concurrency must be greater than or equal to worker_concurrency",
    ]
)
def bounds_of_queues() -> list[str]:
    limits = {"global_concurrency": 5, "worker_concurrency": 3}
    bounded = DBOS.register_queue("bounded", **limits)
    found = [
        words(bounded.set_global_concurrency, 1),
        words(bounded.set_worker_concurrency, 9),
        words(bounded.set_partition_concurrency, 9),
        words(bounded.set_partition_worker_concurrency, 4),
        words(DBOS.register_queue, "bounded", **(limits | {"worker_concurrency": 9})),
    ]
    DBOS.delete_queue("bounded")
    return found


@behaviour(
    [
        "ENQUEUED",
        True,
        "DBOS Error: Deduplication is not supported for partitioned queues",
        "DBOS Error: Cannot enqueue on queue of-client from a client-bound Queue object. Use "
        "DBOSClient.enqueue instead.",
        "DBOS Error: DBOSClient.register_queue does not support on_conflict="
        "'update_if_latest_version' because clients are not associated with an application "
        "version. Use 'always_update' or 'never_update'.",
        "registers later",
    ],
    launched=False,
)
def what_a_client_may(config: dict[str, Any]) -> list[Any]:
    launch(config)
    with _client(config) as client:
        options = {**QUEUED, **BOTH}
        status = client.calls.enqueue(options).get_status().status
        again = words(client.calls.enqueue, {**options, "queue_partition_key": "other"})
        by_name = words(DBOS.enqueue_workflow_with_options, options)
        owned = client.calls.register_queue("of-client")
        bound = words(owned.enqueue, refusals_plain)
        refused = words(client.calls.register_queue, "of-client", on_conflict=LATEST)
        client.calls.create_schedule(
            schedule_name="refusals",
            workflow_name="refusals_tick",
            schedule="0 0 1 1 *",
            queue_name="registers later",
        )
        found = client.calls.get_schedule("refusals")["queue_name"]
        client.calls.delete_schedule("refusals")
    DBOS.destroy()
    return [status, "was deduplicated" in again, by_name, bound, refused, found]


def _owned(kind: str) -> str:
    return (
        f"{kind} is already registered by application 'test-app' in this system database. "
        f"{kind.split(chr(39))[0]}names must be unique across applications sharing a system "
        "database. Either "
    )


@behaviour([True] * 4, launched=False)
def names_that_another_application_owns(config: dict[str, Any]) -> list[bool]:
    launch({**config, "application_version": "owned"})
    DBOS.register_queue("owned")
    schedule = {"schedule_name": "owned", "schedule": "0 0 1 1 *"}
    DBOS.create_schedule(workflow_fn=refusals_tick, **schedule)
    schedule["workflow_name"] = "refusals_tick"
    with _client(config, application_name="another") as client:
        calls = client.calls
        found = [
            _owned("Queue 'owned'") in words(calls.register_queue, "owned"),
            _owned("Schedule 'owned'") in words(lambda: calls.create_schedule(**schedule)),
            _owned("Application version 'owned'")
            in words(calls.set_latest_application_version, "owned"),
            "No application versions found" in words(calls.get_latest_application_version),
        ]
    DBOS.delete_schedule("owned")
    DBOS.destroy()
    return found


@behaviour([True] * 3, launched=False)
def what_is_declared_twice_or_late(config: dict[str, Any]) -> list[bool]:
    DBOS(config=config)
    DBOS.alert_handler(print)
    DBOS.listen_queues([])
    found = [
        "An alert_handler is already defined" in words(DBOS.alert_handler, print),
        "listen_queues called more than once" in words(DBOS.listen_queues, []),
    ]
    DBOS.launch()
    reset = words(DBOS.reset_system_database)
    found.append("The system database cannot be reset after DBOS is launched" in reset)
    DBOS.destroy()
    return found


def _consumer(**options: Any) -> str:
    def consume() -> None:
        config = {"bootstrap.servers": "nowhere"}
        DBOS.kafka_consumer(config, ["topic"], **options)(refusals_plain)

    return words(consume)


@behaviour([True] * 3, launched=False)
def what_consumers_refuse(config: dict[str, Any]) -> list[bool]:
    DBOS(config=config)
    found = [
        'invalid Kafka ordering "other"' in _consumer(ordering="other"),
        "Kafka batch_size must be positive" in _consumer(batch_size=0),
        'a custom queue is only supported with ordering="none"'
        in _consumer(queue_name="mine", ordering="topic"),
    ]
    DBOS.destroy()
    return found


HAS_BEGUN, IS_CANCELLED = threading.Event(), threading.Event()
HEARD: queue.Queue[str] = queue.Queue()


@DBOS.workflow()
def refusals_told() -> None:
    HAS_BEGUN.set()
    IS_CANCELLED.wait(30)
    try:
        DBOS.sleep(0.02)
    except BaseException as cancelled:
        HEARD.put(str(cancelled))
        raise


@behaviour("DBOS Error 10: Workflow cancelled in its body is cancelled. Aborting function.")
def a_cancelled_workflow_is_told_so() -> str:
    HAS_BEGUN.clear()
    IS_CANCELLED.clear()
    with library.SetWorkflowID("cancelled in its body"):
        handle = DBOS.start_workflow(refusals_told)
    HAS_BEGUN.wait(30)
    DBOS.cancel_workflow(handle.workflow_id)
    IS_CANCELLED.set()
    return HEARD.get(timeout=30)


@behaviour([-1, -1], launched=False)
def limits_of_no_time(config: dict[str, Any]) -> list[float]:
    keys = ("observability_query_timeout_sec", "sys_db_idle_transaction_timeout_sec")
    limits = dict.fromkeys(keys, -1)
    launch({**config, **limits})
    DBOS.list_workflows()
    DBOS.destroy()
    return [*limits.values()]


@behaviour(True)
def a_debouncer_of_an_unknown_name_is_refused() -> bool:
    debounce = library.Debouncer("nobody registered this").debounce
    return "Invalid workflow name provided to debouncer" in words(debounce, "key", 0.1)


async def _asynchronous() -> None: ...


@behaviour([True] * 4, launched=False)
def datasources_of_the_other_kind(config: dict[str, Any]) -> list[bool]:
    DBOS(config=config)
    source = library.SQLAlchemyDatasource.create(config["system_database_url"])
    needs = "SyncDatasource.transaction requires a non-coroutine function, but _asynchronous is a "
    found = [
        needs in words(source.transaction(), _asynchronous),
        "Function _asynchronous is a coroutine; use AsyncDatasource.run_tx_step_async instead"
        in words(source.run_tx_step, None, _asynchronous),
        "sql_session() must be called within a sync datasource transaction"
        in words(source.sql_session),
    ]
    DBOS.launch()
    late = words(library.SQLAlchemyDatasource.create, config["system_database_url"])
    found.append("Datasources must be created before DBOS.launch()" in late)
    DBOS.destroy()
    return found
