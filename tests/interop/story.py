"""One story of workflows for either library: the environment says whose decorators run it.

Names, arguments and numbers of steps are the same, so a run begun by one can be finished by
the other.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

LIBRARY = os.environ.get("STORY_LIBRARY", "dboshub")
library: Any = import_module(LIBRARY)
DBOS: Any = library.DBOS
PORTABLE = library.WorkflowSerializationFormat.PORTABLE

# Where steps leave what they did, and look for leave to go on.
FOLDER = Path(os.environ.get("STORY_FOLDER", "."))
PATIENCE_S = 60
# Which version of the code that is upgraded is deployed here.
CODE = os.environ.get("STORY_CODE", "old")


def note(*words: object) -> None:
    with (FOLDER / "diary").open("a") as diary:
        diary.write(" ".join(map(str, (LIBRARY, *words))) + "\n")


def wait_for_gate(name: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not (FOLDER / name).exists():
        assert time.monotonic() < deadline, f"nobody opened gate {name}"
        time.sleep(0.01)


@DBOS.step()
def double(number: int) -> int:
    note("double", number)
    return 2 * number


@DBOS.step()
def gated(gate: str) -> str:
    note("waits", gate)
    wait_for_gate(gate)
    return f"{gate} opened"


@DBOS.step()
def fail(words: str) -> None:
    raise ValueError(words)


@DBOS.step(retries_allowed=True, max_attempts=2, interval_seconds=0.001)
def fail_twice(words: str) -> None:
    raise ValueError(words)


@DBOS.workflow()
def triple(number: int) -> int:
    return 3 * number


@DBOS.workflow()
def who() -> str:
    """Which library executes."""
    return LIBRARY


@DBOS.workflow()
def naps(seconds: float) -> list[Any]:
    """Doubles before a sleep and after it; returns who ended it."""
    double(1)
    DBOS.sleep(seconds)
    double(2)
    return [LIBRARY]


@DBOS.workflow()
def awaits_post() -> list[Any]:
    return [LIBRARY, DBOS.recv("post", timeout_seconds=3_600)]


@DBOS.workflow()
def fails(words: str) -> None:
    raise ValueError(words)


@DBOS.workflow(serialization_type=PORTABLE)
def portable(number: int, *, when: str) -> dict[str, Any]:
    DBOS.set_event("when", when)
    return {"doubled": double(number), "when": when}


@DBOS.workflow()
def talks(words: list[str]) -> str:
    """Publishes, streams, and answers a message."""
    DBOS.set_event("count", len(words))
    for word in words:
        DBOS.write_stream("words", word)
    DBOS.close_stream("words")
    return f"heard {DBOS.recv('topic', timeout_seconds=30)}"


@DBOS.workflow()
def long_story() -> list[Any]:
    """Steps, a sleep, an event, a message to itself and a child; then it waits at a gate."""
    parts: list[Any] = [double(1)]
    DBOS.sleep(0.01)
    DBOS.set_event("chapter", 1)
    DBOS.write_stream("pages", "first")
    DBOS.send(DBOS.workflow_id, "a letter", "post")
    parts += [DBOS.recv("post", timeout_seconds=10), triple(2)]
    with swallowed():
        fail("a failure")
    parts.append(gated("gate"))
    parts += [double(3), DBOS.start_workflow(triple, 4).get_result()]
    DBOS.set_event("chapter", 2)
    DBOS.write_stream("pages", "last")
    DBOS.close_stream("pages")
    return parts


@DBOS.workflow()
def upgraded() -> int:
    """What a step computes with changes from one version of the code to the next."""
    if CODE == "deprecated":
        DBOS.deprecate_patch("hundredfold")
    is_new = CODE == "deprecated" or (CODE == "patched" and DBOS.patch("hundredfold"))
    number: int = double(100 if is_new else 1)
    gated("gate")
    return number


@DBOS.workflow()
def every_call() -> str:
    """Each durable call that both libraries have, in an order that both replay."""
    me = DBOS.workflow_id
    _steps_and_communication(me)
    _children(me)
    _management(me)
    _schedules(me)
    _queues(me)
    return "done"


def _steps_and_communication(me: str) -> None:
    double(1)
    for failing in (fail, fail_twice):
        with swallowed():
            failing("on purpose")
    DBOS.run_step({"name": "named"}, lambda: 1)
    DBOS.run_step(None, lambda: 2)
    reserved = DBOS.reserve_step()
    double(2)
    reserved.run({"name": "reserved"}, lambda: 3)
    DBOS.sleep(0.001)
    DBOS.set_event("key", "value")
    DBOS.get_event(me, "key")
    DBOS.get_event(me, "never set", timeout_seconds=0)
    DBOS.get_all_events(me)
    DBOS.send(me, {"a": "message"}, "topic")
    DBOS.recv("topic")
    DBOS.recv(timeout_seconds=0)
    with swallowed():
        DBOS.send("nobody", "lost")
    letters = [library.SendMessage(destination_id=me, message=text, topic="bulk") for text in "ab"]
    DBOS.send_bulk(letters)
    DBOS.recv("bulk")
    DBOS.write_stream("stream", 1)
    DBOS.write_stream("stream", 2)
    DBOS.close_stream("stream")
    assert list(DBOS.read_stream(me, "stream")) == [1, 2]
    DBOS.read_stream_offset(me, "stream", 1)
    DBOS.patch("a change")
    _unserialisable(me)
    double(2)


def _unserialisable(me: str) -> None:
    """A value that cannot be kept takes its number all the same."""
    for call in (
        lambda: DBOS.send(me, lambda: None),
        lambda: DBOS.set_event("key", lambda: None),
        lambda: DBOS.write_stream("other", lambda: None),
        lambda: DBOS.start_workflow(triple, lambda: None),
    ):
        with swallowed():
            call()


def _children(me: str) -> None:
    triple(1)
    with swallowed():
        fails("a child")
    handle = DBOS.start_workflow(triple, 2)
    handle.get_result()
    handle.get_status()
    with library.SetWorkflowID(f"{me}-chosen"):
        DBOS.start_workflow(triple, 3)
    DBOS.get_result(f"{me}-chosen")
    DBOS.retrieve_workflow(f"{me}-chosen").get_result()
    DBOS.get_workflow_status("nobody")
    with library.SetEnqueueOptions(deduplication_id=me):
        DBOS.enqueue_workflow("unserved", triple, 4)
    with swallowed(), library.SetEnqueueOptions(deduplication_id=me):
        DBOS.enqueue_workflow("unserved", triple, 5)


def _management(me: str) -> None:
    with library.SetWorkflowID(f"{me}-managed"):
        handle = DBOS.enqueue_workflow("unserved", triple, 6)
    DBOS.list_workflows(workflow_ids=[me])
    DBOS.list_queued_workflows(queue_name="unserved")
    DBOS.list_workflow_steps(f"{me}-chosen")
    DBOS.cancel_workflow(handle.workflow_id)
    DBOS.resume_workflow(handle.workflow_id, queue_name="unserved")
    with library.SetWorkflowID(f"{me}-fork"):
        DBOS.fork_workflow(handle.workflow_id, 1, queue_name="unserved")
    DBOS.delete_workflow(f"{me}-fork")


def _queues(me: str) -> None:
    DBOS.register_queue(f"{me}-queue", worker_concurrency=2)
    DBOS.retrieve_queue(f"{me}-queue")
    DBOS.list_queues()
    DBOS.delete_queue(f"{me}-queue")
    with library.SetWorkflowID(f"{me}-waited"):
        handle = DBOS.start_workflow(triple, 7)
    DBOS.wait_first([handle])
    DBOS.update_workflow_attributes(f"{me}-waited", {"seen": True})
    DBOS.cancel_workflows([f"{me}-managed"])
    DBOS.resume_workflows([f"{me}-managed"], queue_name="unserved")
    with library.SetWorkflowID(f"{me}-later"), library.SetEnqueueOptions(delay_seconds=3600):
        DBOS.enqueue_workflow("unserved", triple, 8)
    DBOS.set_workflow_delay(f"{me}-later", delay_seconds=7200)
    DBOS.cancel_workflow(f"{me}-waited")
    DBOS.rewind_workflow(f"{me}-waited", start_step=1, queue_name="unserved")
    DBOS.delete_workflows([f"{me}-later"])
    DBOS.list_application_versions()
    DBOS.get_latest_application_version()


def _schedules(me: str) -> None:
    DBOS.create_schedule(schedule_name=me, workflow_fn=tick, schedule="0 0 1 1 *")
    DBOS.list_schedules()
    DBOS.get_schedule(me)
    DBOS.pause_schedule(me)
    DBOS.resume_schedule(me)
    DBOS.delete_schedule(me)


@DBOS.workflow()
def tick(scheduled: datetime, context: Any) -> None:
    note("tick", scheduled.astimezone(UTC).isoformat())


@DBOS.workflow()
async def every_async_call() -> str:
    """The awaited twins number and name alike."""
    me = DBOS.workflow_id
    await double_async(1)
    await DBOS.sleep_async(0.001)
    await DBOS.set_event_async("key", "value")
    await DBOS.get_event_async(me, "key")
    await DBOS.send_async(me, "message")
    await DBOS.recv_async()
    await DBOS.write_stream_async("stream", 1)
    await DBOS.close_stream_async("stream")
    assert [value async for value in DBOS.read_stream_async(me, "stream")] == [1]
    await triple_async(1)
    handle = await DBOS.start_workflow_async(triple_async, 2)
    await handle.get_result()
    reserved = DBOS.reserve_step()
    await DBOS.run_step_async({"name": "named"}, double_async, 3)
    await reserved.run_async({"name": "reserved"}, double_async, 4)
    await DBOS.list_workflow_steps_async(f"{me}-chosen")
    letter = library.SendMessage(destination_id=me, message="in bulk", topic="bulk")
    await DBOS.send_bulk_async([letter])
    await DBOS.recv_async("bulk")
    await DBOS.get_all_events_async(me)
    await DBOS.read_stream_offset_async(me, "stream", 0)
    await DBOS.patch_async("a change")
    await DBOS.wait_first_async([handle])
    await DBOS.list_workflows_async(workflow_ids=[me])
    await DBOS.get_workflow_status_async("nobody")
    await DBOS.asyncio_wait([double_async(4), double_async(5)])
    return "done"


@DBOS.workflow()
async def every_late_call() -> str:
    """Coroutines that are awaited in another order than they were made in."""
    me = DBOS.workflow_id
    await DBOS.asyncio_wait([double_async(1), triple_async(2)])
    tasks = [asyncio.create_task(each) for each in (double_async(3), DBOS.sleep_async(0.001))]
    await DBOS.asyncio_wait(tasks)
    await asyncio.gather(double_async(4), DBOS.set_event_async("late", 1))
    for late in (
        DBOS.sleep_async(0.001),
        DBOS.run_step_async({"name": "late"}, lambda: 1),
        DBOS.start_workflow_async(triple_async, 5),
        triple_async(6),
        DBOS.set_event_async("key", 1),
        DBOS.send_async(me, 1),
        DBOS.recv_async(),
    ):
        await double_async(7)
        await late
    return "done"


@DBOS.step()
async def double_async(number: int) -> int:
    return 2 * number


@DBOS.workflow()
async def triple_async(number: int) -> int:
    return 3 * number


@contextmanager
def swallowed() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        note("swallowed", type(error).__name__)
