"""Details that test suites look at: fields, words, and what is refused only where it is used."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.behaviour.cases import DBOS, QUEUE, behaviour, error, launch, library, raised
from tests.behaviour.failures import words

PORTABLE = library.WorkflowSerializationFormat.PORTABLE


@DBOS.workflow()
def details_plain(value: int = 1) -> int:
    return value


@DBOS.workflow()
def details_tick(at: datetime, context: Any) -> None: ...


@DBOS.workflow(serialization_type=PORTABLE)
def details_portable(value: Any = None) -> None:
    raise ValueError("boom")


@DBOS.workflow()
def details_endless() -> None:
    while True:
        DBOS.sleep(0.02)


@DBOS.workflow()
def details_parent_of_endless() -> None:
    details_endless()


FOUND: dict[str, str] = {}


@DBOS.step()
def details_calls_from_a_step() -> None:
    at = datetime(2025, 1, 1)
    calls: dict[str, Callable[[], Any]] = {
        "recv": DBOS.recv,
        "sleep": lambda: DBOS.sleep(1),
        "patch": lambda: DBOS.patch("a"),
        "apply": lambda: DBOS.apply_schedules([]),
        "backfill": lambda: DBOS.backfill_schedule("nothing", at, at),
        "trigger": lambda: DBOS.trigger_schedule("nothing"),
    }
    for name, call in calls.items():
        FOUND[name] = raised(call) + (": no schedule" if "does not exist" in words(call) else "")


@DBOS.workflow()
def details_step() -> None:
    details_calls_from_a_step()


@behaviour(
    [
        "recv DBOSException",
        "sleep AssertionError",
        "patch DBOSException",
        "apply nothing",
        "backfill DBOSException: no schedule",
        "trigger DBOSException: no schedule",
    ]
)
def what_steps_may_call() -> list[str]:
    details_step()
    return [f"{name} {found}" for name, found in FOUND.items()]


@behaviour([1, 1, "DBOSException", "nothing", "nothing", True, True])
def queue_options_count_where_they_are_used() -> list[Any]:
    with library.SetEnqueueOptions(priority=1, deduplication_id="direct"):
        called = details_plain()
        started = raised(DBOS.start_workflow, details_plain)
    handle = DBOS.start_workflow(details_plain)
    both = {"deduplication_id": "d", "queue_partition_key": "k"}
    policy = {"duplication_policy": "return-existing"}
    made = [raised(library.SetEnqueueOptions, **each) for each in (both, policy)]
    used = []
    for options, expected in (
        (both, "Deduplication is not supported for partitioned queues"),
        (policy, "duplication_policy 'return-existing' requires a deduplication_id"),
    ):
        with library.SetEnqueueOptions(**options):
            used.append(expected in words(DBOS.enqueue_workflow, "unserved", details_plain))
    return [called, handle.get_result(), started, *made, *used]


@behaviour(["ValueError", "PortableWorkflowError"])
def a_retrieved_handle_gives_what_was_recorded() -> list[str]:
    handle = DBOS.start_workflow(details_portable)
    retrieved = DBOS.retrieve_workflow(handle.workflow_id)
    return [raised(handle.get_result), raised(retrieved.get_result)]


@behaviour(["DBOSAwaitedWorkflowCancelledError", "CANCELLED", "CANCELLED"])
def a_parent_ends_with_the_deadline_of_its_child() -> list[str]:
    with library.SetWorkflowTimeout(1), library.SetWorkflowID("parent with a deadline"):
        handle = DBOS.start_workflow(details_parent_of_endless)
    found = raised(handle.get_result)
    statuses = [each.status for each in DBOS.list_workflows(workflow_id_prefix=handle.workflow_id)]
    return [found, *statuses]


@behaviour([{"1": 2}, ["child_shard_key"], ["shard_key"]])
def records_have_the_keys_of_the_library() -> list[Any]:
    with library.SetWorkflowAttributes({1: 2}):
        attributes = DBOS.start_workflow(details_plain).get_status().attributes
    with library.SetWorkflowID("with a step"):
        details_step()
    step = DBOS.list_workflow_steps("with a step")[0]
    DBOS.create_schedule(schedule_name="details", workflow_fn=details_tick, schedule="0 0 1 1 *")
    schedule = DBOS.get_schedule("details")
    DBOS.delete_schedule("details")
    return [
        attributes,
        [key for key in step if "shard" in key],
        [k for k in schedule if "sh" in k and "key" in k],
    ]


@behaviour(
    [
        ["PORTABLE", "portable", True],
        ["NATIVE", "native", True],
        ["DEFAULT", "None", True],
        "PortableWorkflowError(message='m', name='n', code=3, data=None)",
        "DBOS Error: m",
        "DBOS Error 3: m",
        ["w", 3, "expected", "recorded"],
    ]
)
def values_of_formats_and_errors() -> list[Any]:
    unexpected = error.DBOSUnexpectedStepError("w", 3, "expected", "recorded")
    return [
        *[[e.name, e.value, isinstance(e, str)] for e in library.WorkflowSerializationFormat],
        repr(library.PortableWorkflowError("m", "n", 3)),
        str(error.DBOSBaseException("m")),
        str(error.DBOSBaseException("m", 3)),
        [*unexpected.inputs],
    ]


def _step(**options: Any) -> str:
    return words(lambda: DBOS.step(**options)(lambda: None))


@DBOS.dbos_class()
class DetailsOfInstance(library.DBOSConfiguredInstance):  # type: ignore[misc]  # of either library
    @DBOS.workflow()
    def tick(self, at: datetime, context: Any) -> None: ...


INSTANCE = DetailsOfInstance("one")


def _instance_scheduled() -> None:
    DBOS.create_schedule(schedule_name="instance", workflow_fn=INSTANCE.tick, schedule="0 0 1 1 *")


def _debounced(**options: Any) -> str:
    with library.SetEnqueueOptions(**options):
        return words(library.Debouncer.create(details_plain).debounce, "key", 0.1, 1)


def _bulk() -> None:
    messages = [library.SendMessage("one", each, idempotency_key="key") for each in range(2)]
    DBOS.send_bulk(messages)


@behaviour([True] * 15)
def words_that_programs_match() -> list[bool]:
    given = {"delay_seconds": 1, "delay_until_epoch_ms": 1}
    limits = {"partition_concurrency": 2, "global_concurrency": 1}
    return [
        "not both" in words(DBOS.set_workflow_delay, "nobody", **given),
        "alert_handler must be defined before DBOS is launched" in words(DBOS.alert_handler, _bulk),
        "is sync but timeout_seconds is set" in _step(timeout_seconds=1),
        "is sync but preemptible=True" in _step(preemptible=True),
        "Duplicate instance registration for class" in words(DetailsOfInstance, "one"),
        "instance methods cannot be used as scheduled" in words(_instance_scheduled),
        "with a deduplication_id set: the debounce key" in _debounced(deduplication_id="d"),
        "with a delay set: the debounce period" in _debounced(delay_seconds=1),
        "with a priority set: priority is not" in _debounced(priority=1),
        "with a queue partition key set" in _debounced(queue_partition_key="k"),
        "received duplicate idempotency keys: key" in words(_bulk),
        "Object of type object is not portable JSON" in words(details_portable, object()),
        "a map with non-string keys" in words(details_portable, {1: 2}),
        "global_concurrency must be greater" in words(DBOS.register_queue, "bounds", **limits),
        "A DBOSClient requires a system_database_url" in words(library.DBOSClient),
    ]


@behaviour(["test-app", "test-app"], launched=False)
def queues_tell_their_application(config: dict[str, Any]) -> list[Any]:
    launch(config)
    queue = DBOS.register_queue(QUEUE)
    found = [queue.application_name, DBOS.retrieve_queue(QUEUE).application_name]
    DBOS.destroy()
    return found


@behaviour([True] * 5, launched=False)
def what_is_wrong_before_a_launch(config: dict[str, Any]) -> list[bool]:
    found = ["called without a DBOS instance" in words(DBOS.launch)]
    for wrong, said in (
        ({"name": "Bad Name"}, "Invalid app name Bad Name"),
        ({"name": ...}, "must specify an application name"),
        (
            {"notification_listener_polling_interval_sec": 0},
            "notification_listener_polling_interval_sec must be a finite number at least 0.001 "
            "seconds, got 0",
        ),
    ):
        given = {key: value for key, value in {**config, **wrong}.items() if value is not ...}
        found.append(said in words(lambda given=given: DBOS(config=given)))
    DBOS(config={**config, "db_engine_kwargs": {"pool_size": 5}, "notification_coalesce_sec": 0.1})
    found.append("before DBOS was launched" in words(DBOS.list_workflows))
    DBOS.destroy()
    return found


@behaviour([[1, 3], ["DBOS.sleep", "DBOS.sleep"]])
async def a_wait_for_tasks_is_a_coroutine() -> list[Any]:
    with library.SetWorkflowID("waits for tasks"):
        found = await details_waits()
    steps = await DBOS.list_workflow_steps_async("waits for tasks")
    return [found, [each["function_name"] for each in steps if "sleep" in each["function_name"]]]


@DBOS.workflow()
async def details_waits() -> list[int]:
    async def naps(value: int) -> int:
        await DBOS.sleep_async(0.01)
        return value

    task = asyncio.create_task(DBOS.asyncio_wait([naps(1), naps(3)], timeout=10))
    done, _ = await task
    return sorted(each.result() for each in done)
