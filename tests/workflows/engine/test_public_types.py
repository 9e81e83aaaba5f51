"""The types that a program imports to annotate with are what the calls take and return."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_args, get_type_hints

import pytest

from dboshub import (
    DBOS,
    ClientScheduleInput,
    DBOSClient,
    DuplicationPolicy,
    EnqueueOptions,
    ScheduleInput,
    StepInfo,
    StepOptions,
    VersionInfo,
    WorkflowHandleAsync,
    WorkflowIDReusePolicy,
    WorkflowSchedule,
    WorkflowStatusString,
)
from dboshub.workflows.engine.errors import DBOSException

NOBODYS: EnqueueOptions = {"workflow_name": "typed_report", "queue_name": "nobody-serves-it"}


@DBOS.workflow(name="typed_report")
def report(at: datetime, context: Any) -> str:
    return f"{context}"


@DBOS.workflow(name="typed_stubborn")
def stubborn(options: StepOptions) -> int:
    tries: list[int] = []

    def fails_once() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("once")
        return len(tries)

    return DBOS.run_step(options, fails_once)


def assert_shape(row: Mapping[str, Any], shape: type) -> None:
    """A row has the keys of its declared type, and no value of another type."""
    declared = get_type_hints(shape)
    assert {*row} == {*declared}
    for key, value in row.items():
        kinds = get_args(declared[key]) or (declared[key],)
        assert Any in kinds or isinstance(value, kinds), (key, value)


def test_schedules_are_given_and_come_back_in_their_types(dbos: type[DBOS]) -> None:
    mine: ScheduleInput = {
        "schedule_name": "mine",
        "workflow_fn": report,
        "schedule": "0 0 1 1 *",
        "context": "yearly",
    }
    dbos.apply_schedules([mine])
    found: WorkflowSchedule | None = dbos.get_schedule("mine")
    assert found is not None
    assert_shape(found, WorkflowSchedule)
    assert (found["workflow_name"], found["context"]) == ("typed_report", "yearly")


def test_a_client_names_the_workflow_of_a_schedule(dbos: type[DBOS], database_url: str) -> None:
    client = DBOSClient(system_database_url=database_url)
    theirs: ClientScheduleInput = {
        "schedule_name": "theirs",
        "workflow_name": "elsewhere",
        "schedule": "0 0 1 1 *",
    }
    client.apply_schedules([theirs])
    [found] = client.list_schedules(workflow_name="elsewhere")
    client.destroy()
    assert_shape(found, WorkflowSchedule)


def test_versions_come_in_their_type(dbos: type[DBOS]) -> None:
    versions: list[VersionInfo] = dbos.list_application_versions()
    assert versions
    for each in versions:
        assert_shape(each, VersionInfo)


def test_step_options_are_the_parameters_of_a_step(dbos: type[DBOS]) -> None:
    parameters = {*inspect.signature(DBOS.step).parameters} - {"into"}
    assert {*get_type_hints(StepOptions)} == parameters
    options: StepOptions = {"name": "tries", "retries_allowed": True, "interval_seconds": 0.01}
    handle = dbos.start_workflow(stubborn, options)
    assert handle.get_result() == 2
    [step] = dbos.list_workflow_steps(handle.workflow_id)
    assert_shape(step, StepInfo)
    assert step["function_name"] == "tries"


@pytest.mark.parametrize(
    ("policy", "option"),
    [
        (DuplicationPolicy, "duplication_policy"),
        (WorkflowIDReusePolicy, "workflow_id_reuse_policy"),
    ],
)
def test_a_policy_is_one_of_its_words(dbos: type[DBOS], policy: Any, option: str) -> None:
    def enqueue(word: str) -> None:
        given: Any = {**NOBODYS, "workflow_id": word, option: word}
        given["deduplication_id"] = word
        dbos.enqueue_workflow_with_options(given)

    assert {*get_args(policy)} == {"reject", "return-existing"}
    for word in get_args(policy):
        enqueue(word)
    with pytest.raises(DBOSException, match=option):
        enqueue("replace")


async def test_what_is_awaited_hands_out_handles_to_await(dbos: type[DBOS]) -> None:
    handle = await dbos.enqueue_workflow_with_options_async(NOBODYS)
    assert isinstance(handle, WorkflowHandleAsync)
    assert isinstance(await dbos.retrieve_workflow_async(handle.workflow_id), WorkflowHandleAsync)
    assert (await handle.get_status()).status == WorkflowStatusString.ENQUEUED


def test_every_status_is_a_word_to_filter_by(dbos: type[DBOS]) -> None:
    handle = dbos.enqueue_workflow_with_options(NOBODYS)
    for status in WorkflowStatusString:
        found = dbos.list_workflows(status=status.value)
        is_its = status is WorkflowStatusString.ENQUEUED
        assert [each.workflow_id for each in found] == [handle.workflow_id] * is_its
    assert handle.get_status().status in {*WorkflowStatusString}
