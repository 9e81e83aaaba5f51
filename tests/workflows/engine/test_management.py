"""Cancel, resume, fork, delete, list: by programs and inside workflows."""

from __future__ import annotations

import time

import pytest

from dboshub import DBOS, SetWorkflowID
from dboshub.workflows.engine.errors import (
    DBOSAwaitedWorkflowCancelledError,
    DBOSException,
    DBOSNonExistentWorkflowError,
)
from tests.support.eventually import eventually
from tests.workflows.engine.calls import Calls

calls = Calls()


@DBOS.step()
def stage(name: str) -> str:
    calls.note(name)
    return name.upper()


@DBOS.workflow()
def staged() -> list[str]:
    first = stage("first")
    DBOS.set_event("stage", "one")
    DBOS.recv("go", 30)
    return [first, stage("second")]


@DBOS.workflow()
def family() -> list[str]:
    return DBOS.start_workflow(staged).get_result()


@DBOS.workflow()
def manager(workflow_id: str) -> list[str]:
    DBOS.cancel_workflow(workflow_id)
    DBOS.resume_workflow(workflow_id)
    DBOS.list_workflow_steps(workflow_id)
    fork = DBOS.fork_workflow(workflow_id, 2)
    return [status.workflow_id for status in DBOS.list_workflows(forked_from=workflow_id)] + [
        fork.get_workflow_id()
    ]


def begin(workflow_id: str = "w") -> None:
    calls.clear()
    with SetWorkflowID(workflow_id):
        DBOS.start_workflow(staged)
    DBOS.get_event(workflow_id, "stage", 10)


def test_a_cancelled_workflow_stops_and_a_resumed_one_goes_on_where_it_was(
    dbos: type[DBOS],
) -> None:
    begin()
    DBOS.cancel_workflow("w")
    with pytest.raises(DBOSAwaitedWorkflowCancelledError):
        DBOS.get_result("w")
    handle = DBOS.resume_workflow("w")
    DBOS.send("w", "now", "go")
    assert handle.get_result() == ["FIRST", "SECOND"]
    assert (calls.count("first"), calls.count("second")) == (1, 1)


def test_resuming_takes_a_running_workflow_from_its_execution(dbos: type[DBOS]) -> None:
    begin()
    handle = DBOS.resume_workflow("w")
    DBOS.send("w", "now", "go")
    assert handle.get_result() == ["FIRST", "SECOND"]
    assert (calls.count("first"), calls.count("second")) == (1, 1)


def test_cancelling_reaches_children_if_asked(dbos: type[DBOS]) -> None:
    with SetWorkflowID("f"):
        DBOS.start_workflow(family)
    DBOS.get_event("f-1", "stage", 10)
    DBOS.cancel_workflow("f", cancel_children=True)
    statuses = {each.workflow_id: each.status for each in DBOS.list_workflows()}
    assert statuses == {"f": "CANCELLED", "f-1": "CANCELLED"}


def test_a_fork_replays_what_it_copied_and_runs_the_rest(dbos: type[DBOS]) -> None:
    begin()
    DBOS.send("w", "now", "go")
    assert DBOS.get_result("w") == ["FIRST", "SECOND"]
    with SetWorkflowID("forked"):
        fork = DBOS.fork_workflow("w", 5)
    assert fork.get_workflow_id() == "forked"
    assert fork.get_result() == ["FIRST", "SECOND"]
    assert (calls.count("first"), calls.count("second")) == (1, 2)
    status = fork.get_status()
    assert (status.forked_from, status.status) == ("w", "SUCCESS")
    assert DBOS.get_workflow_status("w").was_forked_from


def test_a_deleted_workflow_leaves_nothing_even_while_it_runs(dbos: type[DBOS]) -> None:
    begin()
    DBOS.delete_workflow("w")
    assert DBOS.get_workflow_status("w") is None
    assert DBOS.list_workflow_steps("w") == []
    eventually(lambda: not running())


def test_management_inside_a_workflow_is_recorded(dbos: type[DBOS]) -> None:
    begin()
    with SetWorkflowID("m"):
        listed, forked = manager("w")
    assert listed == forked
    names = [step["function_name"] for step in DBOS.list_workflow_steps("m")]
    assert names == [
        "DBOS.cancelWorkflow",
        "DBOS.resumeWorkflow",
        "DBOS.listWorkflowSteps",
        "DBOS.forkWorkflow",
        "DBOS.getStatus",
        "DBOS.listWorkflows",
    ]
    for workflow_id in ("w", forked):
        DBOS.send(workflow_id, "now", "go")
        assert DBOS.get_result(workflow_id) == ["FIRST", "SECOND"]


def test_unknown_ids_are_told_or_ignored_as_documented(dbos: type[DBOS]) -> None:
    DBOS.cancel_workflow("nobody")
    DBOS.delete_workflow("nobody")
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.resume_workflow("nobody")
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.fork_workflow("nobody", 1)
    assert DBOS.get_workflow_status("nobody") is None


def test_a_fork_does_not_take_the_id_of_another_workflow(dbos: type[DBOS]) -> None:
    begin("one")
    begin("other")
    for _ in range(2):  # a repeated fork is one fork
        with SetWorkflowID("fork"):
            assert DBOS.fork_workflow("one", 1).workflow_id == "fork"
    with SetWorkflowID("other"), pytest.raises(DBOSException, match="other exists and is no fork"):
        DBOS.fork_workflow("one", 1)
    for workflow_id in ("one", "other", "fork"):
        DBOS.send(workflow_id, "now", "go")
        DBOS.get_result(workflow_id)


def test_finished_workflows_are_not_resumed(dbos: type[DBOS]) -> None:
    begin()
    DBOS.send("w", "now", "go")
    DBOS.get_result("w")
    DBOS.resume_workflow("w")
    assert DBOS.get_workflow_status("w").status == "SUCCESS"


def test_lists_filter_sort_and_page(dbos: type[DBOS]) -> None:
    @DBOS.workflow(name="numbered")
    def numbered(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        return number

    for number in range(5):
        with SetWorkflowID(f"n/{number}"):
            handle = DBOS.start_workflow(numbered, number)
        eventually(lambda handle=handle: handle.get_status().completed_at)
    listed = [each.workflow_id for each in DBOS.list_workflows()]
    assert listed == [f"n/{number}" for number in range(5)]
    assert [each.output for each in DBOS.list_workflows(limit=2, offset=1)] == [1, 2]
    assert DBOS.list_workflows(sort_desc=True, limit=1)[0].workflow_id == "n/4"
    assert [each.workflow_id for each in DBOS.list_workflows(status="ERROR")] == ["n/3"]
    assert len(DBOS.list_workflows(status=["ERROR", "SUCCESS"], name="numbered")) == 5
    assert len(DBOS.list_workflows(workflow_id_prefix="n/")) == 5
    assert DBOS.list_workflows(workflow_ids=["n/1"], load_input=False)[0].input is None
    assert DBOS.list_workflows(end_time="2020-01-01T00:00:00+00:00") == []
    assert len(DBOS.list_workflows(start_time="2020-01-01T00:00:00+00:00", offset=3)) == 2
    assert DBOS.list_queued_workflows() == []
    with pytest.raises(ValueError, match=r"Invalid isoformat string: 'yesterday'.*ISO 8601"):
        DBOS.list_workflows(start_time="yesterday")
    with pytest.raises(TypeError, match="argument must be str"):
        DBOS.list_workflows(start_time=17)  # type: ignore[arg-type]


def running() -> list[str]:
    from dboshub.workflows.engine.current_engine import engine

    time.sleep(0)
    return [each.workflow_id for each in engine().executions]
