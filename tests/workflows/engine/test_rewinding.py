"""Rewinding, delaying, cancelling and deleting many, and the finer points of forks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, SendMessage, SetEnqueueOptions, SetWorkflowID
from dboshub.workflows.engine.errors import (
    DBOSAwaitedWorkflowCancelledError,
    DBOSException,
    DBOSNonExistentWorkflowError,
)
from tests.support.eventually import eventually
from tests.workflows.engine.calls import Calls

calls = Calls()


@DBOS.step()
def rewind_counts(name: str) -> int:
    calls.note(name)
    return calls.count(name)


@DBOS.workflow()
def rewind_child() -> int:
    return rewind_counts("child")


@DBOS.workflow()
def rewind_me() -> list[int]:
    first = rewind_counts("first")
    DBOS.set_event("progress", f"one {first}")
    DBOS.write_stream("out", first)
    second = rewind_counts("second")
    DBOS.set_event("progress", f"two {second}")
    DBOS.set_event("late", second)
    DBOS.close_stream("out")
    return [first, second, rewind_child()]


patience = {"seconds": 0.05}


@DBOS.workflow()
def rewind_receives() -> Any:
    return DBOS.recv("t", patience["seconds"])


@DBOS.workflow()
def rewinder(workflow_id: str) -> Any:
    DBOS.rewind_workflow(workflow_id)
    return DBOS.get_result(workflow_id)


@DBOS.workflow()
def rewind_waits() -> Any:
    return DBOS.recv("go", 30)


@DBOS.workflow()
def rewind_parent() -> Any:
    handle = DBOS.start_workflow(rewind_waits)
    DBOS.set_event("child", handle.workflow_id)
    return handle.get_result()


@DBOS.workflow()
def rewind_delays(workflow_id: str) -> None:
    DBOS.set_workflow_delay(workflow_id, delay_seconds=0)


def names(workflow_id: str) -> list[str]:
    return [step["function_name"] for step in DBOS.list_workflow_steps(workflow_id)]


def ran() -> list[int]:
    calls.clear()
    with SetWorkflowID("w"):
        return rewind_me()


def test_a_rewound_workflow_runs_again_under_its_own_id(dbos: type[DBOS]) -> None:
    assert ran() == [1, 1, 1]
    created = DBOS.get_workflow_status("w").created_at
    handle = DBOS.rewind_workflow("w")
    assert handle.get_result() == [2, 2, 1], "the child is found finished"
    assert handle.workflow_id == "w"
    status = handle.get_status()
    assert (status.status, status.created_at, status.recovery_attempts) == ("SUCCESS", created, 1)
    assert DBOS.get_all_events("w") == {"progress": "two 2", "late": 2}
    assert [*DBOS.read_stream("w", "out")] == [1, 2], "values that were read stay"


def test_a_rewind_to_a_step_keeps_what_came_before(dbos: type[DBOS]) -> None:
    ran()
    assert DBOS.rewind_workflow("w", start_step=4).get_result() == [1, 2, 1]
    assert calls.count("first") == 1
    assert DBOS.get_all_events("w") == {"progress": "two 2", "late": 2}
    assert [*DBOS.read_stream("w", "out")] == [1]


def test_a_rewind_forgets_later_events_and_takes_queue_and_version(dbos: type[DBOS]) -> None:
    ran()
    DBOS.rewind_workflow(
        "w",
        start_step=4,
        queue_name="nobody serves",
        application_version="other",
        queue_partition_key="p",
    )
    status = DBOS.get_workflow_status("w")
    placed = (status.status, status.queue_name, status.app_version, status.queue_partition_key)
    assert placed == ("ENQUEUED", "nobody serves", "other", "p")
    assert (status.output, status.completed_at) == (None, None)
    assert DBOS.get_all_events("w") == {"progress": "one 1"}
    assert names("w") == ["rewind_counts", "DBOS.setEvent", "DBOS.writeStream"]


def test_a_rewind_drops_messages_that_came_later(
    dbos: type[DBOS], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(patience, "seconds", 30)
    with SetWorkflowID("w"):
        handle = DBOS.start_workflow(rewind_receives)
    DBOS.send("w", "heard", "t")
    assert handle.get_result() == "heard"
    monkeypatch.undo()
    DBOS.send("w", "too late", "t")
    assert DBOS.rewind_workflow("w").get_result() is None


def test_only_what_has_ended_is_rewound(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(rewind_waits)
    with pytest.raises(DBOSException, match=r"PENDING.*only a workflow in a terminal state"):
        DBOS.rewind_workflow("w")
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.rewind_workflow("nobody")
    with pytest.raises(ValueError, match="must be >= 1"):
        DBOS.rewind_workflow("w", start_step=0)
    DBOS.cancel_workflow("w")
    handle = DBOS.rewind_workflow("w")
    DBOS.send("w", "now", "go")
    assert handle.get_result() == "now"


async def test_a_rewind_inside_a_workflow_is_a_step(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        handle = await DBOS.start_workflow_async(rewind_receives)
    assert await handle.get_result() is None
    with SetWorkflowID("r"):
        manager = await DBOS.start_workflow_async(rewinder, "w")
    await manager.get_result()
    steps = await DBOS.list_workflow_steps_async("r")
    assert [step["function_name"] for step in steps] == ["DBOS.rewindWorkflow", "DBOS.getResult"]
    again = await DBOS.rewind_workflow_async("w")
    assert await again.get_result() is None


def test_a_delay_can_be_moved_and_ended(dbos: type[DBOS]) -> None:
    with SetEnqueueOptions(delay_seconds=3600), SetWorkflowID("w"):
        handle = DBOS.enqueue_workflow("_dbos_internal_queue", rewind_receives)
    DBOS.set_workflow_delay("w", delay_until_epoch_ms=9_000_000_000_000)
    assert handle.get_status().delay_until_epoch_ms == 9_000_000_000_000
    with SetWorkflowID("m"):
        rewind_delays("w")
    assert names("m") == ["DBOS.setWorkflowDelay"]
    assert handle.get_result() is None
    DBOS.set_workflow_delay("w", delay_seconds=5)
    assert handle.get_status().status == "SUCCESS"


@pytest.mark.parametrize(
    "given",
    [{}, {"delay_seconds": 1, "delay_until_epoch_ms": 1}, {"delay_seconds": -1}],
)
def test_a_delay_is_exactly_one_time_that_is_not_negative(
    given: dict[str, Any], dbos: type[DBOS]
) -> None:
    with pytest.raises(DBOSException, match=r"Must specify either|, not both|must be >= 0"):
        DBOS.set_workflow_delay("w", **given)


def test_many_are_cancelled_resumed_and_deleted_at_once(dbos: type[DBOS]) -> None:
    ids = ["a", "b", "c"]
    for workflow_id in ids:
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(rewind_waits)
    DBOS.cancel_workflows([*ids, "nobody"])
    assert {each.status for each in DBOS.list_workflows()} == {"CANCELLED"}
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.resume_workflows(["a", "nobody"])
    assert {each.status for each in DBOS.list_workflows()} == {"CANCELLED"}, "all or none"
    handles = DBOS.resume_workflows(ids)
    DBOS.send_bulk([SendMessage(each, each, "go") for each in ids])
    assert [handle.get_result() for handle in handles] == ids
    DBOS.delete_workflows([*ids[:2], "nobody"])
    assert [each.workflow_id for each in DBOS.list_workflows()] == ["c"]


@pytest.mark.parametrize("verb", ["cancel", "delete"])
def test_children_go_along_only_if_asked(verb: str, dbos: type[DBOS]) -> None:
    act: Callable[..., None] = getattr(DBOS, f"{verb}_workflow")
    for workflow_id in ("alone", "together"):
        with SetWorkflowID(workflow_id):
            DBOS.start_workflow(rewind_parent)
        assert DBOS.get_event(workflow_id, "child", 10) == f"{workflow_id}-1"
    act("alone")
    assert DBOS.get_workflow_status("alone-1").status == "PENDING"
    act("together", **{f"{verb}_children": True})
    child = DBOS.get_workflow_status("together-1")
    assert child is None if verb == "delete" else child.status == "CANCELLED"
    DBOS.cancel_workflow("alone-1")


def test_a_fork_can_have_other_children_and_a_timeout_of_its_own(dbos: type[DBOS]) -> None:
    with SetWorkflowID("p"):
        parent = DBOS.start_workflow(rewind_parent)
    DBOS.get_event("p", "child", 10)
    with SetWorkflowID("substitute"):
        DBOS.start_workflow(rewind_waits)
    DBOS.send_bulk([SendMessage(each, each, "go") for each in ("p-1", "substitute")])
    assert parent.get_result() == "p-1"
    fork = DBOS.fork_workflow(
        "p", 3, replacement_children={"p-1": "substitute"}, timeout_seconds=60
    )
    assert fork.get_result() == "substitute"
    assert fork.get_status().workflow_timeout_ms == 60_000
    assert DBOS.list_workflow_steps(fork.workflow_id)[0]["child_workflow_id"] == "substitute"


def test_a_fork_whose_time_is_up_is_cancelled(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(rewind_waits)
    fork = DBOS.fork_workflow("w", 1, timeout_seconds=0.2)
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        fork.get_result()
    DBOS.cancel_workflow("w")
    eventually(lambda: fork.get_status().completed_at)
    with pytest.raises(DBOSException, match="Timeouts must be positive"):
        DBOS.fork_workflow("w", 1, timeout_seconds=0)
