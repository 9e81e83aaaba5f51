"""What errors say and carry, and how steps, patches and streams fail."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

from tests.behaviour.cases import DBOS, QUEUE, behaviour, error, library, raised


def said(call: Any, *args: Any, **kwargs: Any) -> list[Any]:
    """The class of the error that a call raises, its fields, and the first words of its text."""
    try:
        call(*args, **kwargs)
    except Exception as found:
        fields = {**vars(found)}
        for name in ("message", "dbos_error_code", "status_uuid"):
            fields.pop(name, None)
        return [type(found).__name__, fields]
    return ["nothing", {}]


def words(call: Any, *args: Any, **kwargs: Any) -> str:
    """The text of the error that a call raises."""
    try:
        call(*args, **kwargs)
    except Exception as found:
        return str(found)
    return "nothing"


class FailureOfTwo(Exception):
    """An exception that cannot be unpickled."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


@DBOS.workflow()
def failures_plain(value: int = 1) -> int:
    return value


@DBOS.workflow()
def failures_other() -> None: ...


@DBOS.workflow()
def failures_of_two() -> None:
    raise FailureOfTwo(1, 2)


@DBOS.workflow()
def failures_waits() -> None:
    DBOS.recv("end", timeout_seconds=60)


@DBOS.workflow()
def failures_writes() -> None:
    DBOS.write_stream("key", 1)
    DBOS.recv("more", timeout_seconds=60)
    DBOS.write_stream("key", 2)
    DBOS.close_stream("key")


@DBOS.workflow()
def failures_reads(writer: str) -> Any:
    try:
        return list(DBOS.read_stream(writer, "key", timeout_seconds=0.3))
    except error.DBOSStreamTimeoutError:
        return "timeout"


@DBOS.workflow()
async def failures_reads_twice_at_once(writer: str) -> list[Any]:
    async def reads() -> list[Any]:
        return [value async for value in DBOS.read_stream_async(writer, "key")]

    found = await asyncio.gather(reads(), reads(), return_exceptions=True)
    return [each if isinstance(each, list) else type(each).__name__ for each in found]


@DBOS.step(timeout_seconds=0.2)
async def failures_stubborn() -> str:
    try:
        await asyncio.sleep(5)
    except asyncio.CancelledError:
        return "suppressed"
    return "slept"


@DBOS.step(timeout_seconds=20)
async def failures_time_out_within() -> None:
    await asyncio.wait_for(asyncio.sleep(20), 0.01)


@DBOS.workflow()
async def failures_steps() -> list[Any]:
    found = []
    for step in (failures_stubborn, failures_time_out_within):
        try:
            await step()
        except Exception as failed:
            found.append([type(failed).__name__, getattr(failed, "timeout_seconds", None)])
    return found


@DBOS.step()
async def failures_step() -> int:
    return 1


@DBOS.workflow()
async def failures_patches(order: str) -> list[Any]:
    calls = {
        "two patches": lambda: (DBOS.patch_async("a"), DBOS.patch_async("b")),
        "patch and step": lambda: (DBOS.patch_async("a"), failures_step()),
        "step and patch": lambda: (failures_step(), DBOS.patch_async("a")),
    }
    found = await asyncio.gather(*calls[order](), return_exceptions=True)
    told = [type(each).__name__ if isinstance(each, Exception) else each for each in found]
    # Which of two patches comes first is not said.
    return sorted(told, key=str) if order == "two patches" else told


def _holding(workflow_id: str) -> Any:
    with library.SetWorkflowID(workflow_id):
        return DBOS.start_workflow(failures_waits)


def _again(workflow_id: str, function: Any, policy: str = "return-existing") -> Any:
    with library.SetWorkflowID(workflow_id, workflow_id_reuse_policy=policy):
        return DBOS.start_workflow(function)


def _deduplicated() -> Any:
    with library.SetEnqueueOptions(deduplication_id="one"):
        return DBOS.enqueue_workflow("unserved", failures_plain)


@behaviour(
    [
        ["DBOSNonExistentWorkflowError", {"destination": "target", "destination_id": "nobody"}],
        [
            "DBOSNonExistentWorkflowError",
            {"destination": "`send` destination", "destination_id": "nobody"},
        ],
        [
            "DBOSConflictingWorkflowError",
            {
                "workflow_id": "holds",
                "detail": "Workflow already exists with a different function name: failures_waits, "
                "but the provided function name is: failures_other",
            },
        ],
        [
            "DBOSWorkflowIDInUseError",
            {
                "workflow_id": "holds",
                "workflow_status": "PENDING",
                "workflow_name": "failures_waits",
            },
        ],
        ["DBOSQueueDeduplicatedError", {"queue_name": "unserved", "deduplication_id": "one"}],
        [
            "DBOSStreamTimeoutError",
            {"workflow_id": "holds", "key": "key", "timeout_seconds": 0.1},
        ],
    ]
)
def errors_have_fields() -> list[Any]:
    handle = _holding("holds")
    _deduplicated()
    found = [
        said(DBOS.retrieve_workflow, "nobody"),
        said(DBOS.send, "nobody", 1),
        said(_again, "holds", failures_other),
        said(_again, "holds", failures_waits, "reject"),
        said(_deduplicated),
        said(lambda: [*DBOS.read_stream("holds", "key", timeout_seconds=0.1)]),
    ]
    del found[4][1]["workflow_id"]  # a new one at each run
    DBOS.send("holds", None, "end")
    handle.get_result()
    return found


@behaviour([True] * 9)
def errors_have_the_words_that_programs_match() -> list[bool]:
    options = {"priority": 0}
    return [
        "Invalid priority" in words(lambda: library.SetEnqueueOptions(**options)),
        "Invalid workflow ID" in words(library.SetWorkflowID, " "),
        "does not exist" in words(DBOS.trigger_schedule, "nothing"),
        "Non-existent `send` destination workflow ID" in words(DBOS.send, "nobody", 1),
        "not a registered workflow function" in words(DBOS.start_workflow, len),
        "Timeouts must be positive" in words(library.SetWorkflowTimeout, -1),
        "Must specify either" in words(lambda: DBOS.set_workflow_delay("nobody")),
        "must be called from within a workflow" in words(DBOS.recv),
        "must not be empty" in words(DBOS.wait_first, []),
    ]


@behaviour([True, True, False, True, True, "Non-existent target workflow ID: x", "x", 27])
def errors_are_told_apart_and_pickled() -> list[Any]:
    is_in_use = error.is_workflow_id_in_use_error
    in_use = error.DBOSWorkflowIDInUseError("id", "PENDING", "name")
    portable = library.PortableWorkflowError("in use", "DBOSWorkflowIDInUseError")
    restored = pickle.loads(pickle.dumps(error.DBOSNonExistentWorkflowError("target", "x")))
    return [
        is_in_use(in_use),
        is_in_use(portable),
        is_in_use(ValueError("x")),
        is_in_use(error.DBOSException("x", 27)),
        is_in_use(pickle.loads(pickle.dumps(in_use))),
        restored.args[0],
        restored.destination_id,
        error.DBOSErrorCode.WorkflowIDInUse.value,
    ]


@behaviour(["FailureOfTwo", "FailureOfTwo"])
def a_handle_gives_the_error_that_was_raised() -> list[str]:
    handle = DBOS.start_workflow(failures_of_two)
    return [raised(handle.get_result), raised(failures_of_two)]


@behaviour([["DBOSStepTimeoutError", 0.2], ["TimeoutError", None]])
async def a_step_that_suppresses_its_timeout_has_timed_out() -> Any:
    return await failures_steps()


@behaviour(
    [
        ["DBOSPatchNondeterminismError", True],
        ["DBOSPatchNondeterminismError", 1],
        [1, True],
    ]
)
async def a_patch_beside_other_calls_is_refused() -> list[Any]:
    orders = ("two patches", "patch and step", "step and patch")
    return [await failures_patches(each) for each in orders]


@behaviour(["timeout", ["DBOS.readStream", "DBOS.readStream"], "timeout"])
def a_timeout_of_a_stream_is_recorded_and_replayed() -> list[Any]:
    with library.SetWorkflowID("stream of one"):
        writer = DBOS.start_workflow(failures_writes)
    with library.SetWorkflowID("stream reader"):
        found = failures_reads("stream of one")
    steps = [each["function_name"] for each in DBOS.list_workflow_steps("stream reader")]
    DBOS.send("stream of one", None, "more")
    writer.get_result()
    again = DBOS.fork_workflow("stream reader", 5).get_result()
    return [found, steps, again]


@behaviour([[1, 2], "DBOSStreamNondeterminismError"])
def overlapping_reads_of_a_workflow_are_refused() -> Any:
    with library.SetWorkflowID("stream of two"):
        writer = DBOS.start_workflow(failures_writes)
    DBOS.send("stream of two", None, "more")
    writer.get_result()
    return asyncio.run(_awaited(failures_reads_twice_at_once, "stream of two"))


async def _awaited(function: Any, *args: Any) -> Any:
    return await function(*args)


@behaviour("ValueError")
def a_negative_timeout_of_a_stream_is_refused() -> str:
    return raised(lambda: [*DBOS.read_stream("anything", "key", timeout_seconds=-1)])


@behaviour([True] * 5)
def an_interval_of_a_stream_is_checked() -> list[bool]:
    said = "polling_interval_sec must be a finite number at least 0.001 seconds, got "
    return [
        f"{said}{interval!r}"
        in words(lambda interval=interval: [*DBOS.read_stream("a", "b", **interval_of(interval))])
        for interval in (0, -1, 0.0001, float("inf"))
    ] + [
        f"{said}0" in words(DBOS.read_stream_offset, "a", "b", 0, **interval_of(0)),
    ]


def interval_of(seconds: float) -> dict[str, float]:
    return {"polling_interval_sec": seconds}


@behaviour([None, "SUCCESS", True])
def a_status_is_a_plain_object() -> list[Any]:
    handle = DBOS.start_workflow(failures_plain)
    handle.get_result()
    status = handle.get_status()
    return [status.authenticated_roles, vars(status)["status"], "workflow_id" in vars(status)]


@behaviour([1, "DBOSException"])
def a_fork_from_before_the_first_step_and_an_unknown_policy(queue: str = QUEUE) -> list[Any]:
    handle = DBOS.start_workflow(failures_plain)
    handle.get_result()
    forked = DBOS.fork_workflow(handle.workflow_id, -1).get_result()
    policy = {"workflow_id_reuse_policy": "bogus"}
    return [forked, raised(lambda: library.SetWorkflowID("id", **policy))]
