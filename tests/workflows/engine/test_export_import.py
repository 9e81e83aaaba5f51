"""Workflows move between databases whole, or not at all; forks of failures come in bulk."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, EnqueueOptions, SetWorkflowAttributes, SetWorkflowID
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSNonExistentWorkflowError,
    DBOSWorkflowIDInUseError,
)
from tests.workflows.engine.calls import Calls

calls = Calls()


@DBOS.step()
def double(number: int) -> int:
    calls.note("double", number)
    return number * 2


@DBOS.workflow()
def doubled(number: int) -> int:
    return double(number)


@DBOS.workflow()
def journey(number: int) -> str:
    first = double(number)
    child = doubled(first)
    DBOS.set_event("stage", "halfway")
    DBOS.write_stream("words", "gone")
    return f"{child} {DBOS.recv('go', 60)}"


@DBOS.step()
def unlucky(name: str) -> None:
    calls.note(name)
    if calls.count(name) == 1:
        raise ValueError(name)


@DBOS.workflow()
def fails(name: str) -> str:
    double(1)
    unlucky(name)
    double(2)
    return name


@DBOS.workflow()
def mover(workflow_id: str) -> int:
    exported = DBOS.export_workflow(workflow_id)
    DBOS.delete_workflow(workflow_id)
    return len(DBOS.import_workflow(exported))


def exported_halfway() -> str:
    """A journey with its child, exported while it waits, then gone from its database."""
    calls.clear()
    with SetWorkflowID("j"), SetWorkflowAttributes({"price": {"eur": 3}}):
        DBOS.start_workflow(journey, 5)
    assert DBOS.get_event("j", "stage", 20) == "halfway"
    DBOS.send("j", "there", "go", idempotency_key="once")
    exported: str = DBOS.export_workflow("j", export_children=True)
    DBOS.delete_workflow("j", delete_children=True)
    assert DBOS.list_workflows() == []
    return exported


def test_an_imported_workflow_goes_on_where_it_was(dbos: type[DBOS]) -> None:
    first, child = DBOS.import_workflow(exported_halfway())
    assert (first.workflow_id, child.workflow_id) == ("j", "j-2")
    assert first.get_result() == "20 there"
    assert calls.noted == [("double", 5), ("double", 10)]
    assert first.get_status().attributes == {"price": {"eur": 3}}
    assert child.get_status().parent_workflow_id == "j"
    assert DBOS.get_all_events("j") == {"stage": "halfway"}
    assert list(DBOS.read_stream("j", "words")) == ["gone"]
    names = [each["function_name"] for each in DBOS.list_workflow_steps("j")]
    assert names[:2] == ["double", "doubled"]


def test_what_was_exported_can_be_exported_again(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        doubled(4)
    exported = DBOS.export_workflow("w")
    DBOS.delete_workflow("w")
    (handle,) = DBOS.import_workflow(exported)
    assert handle.get_result() == 8
    assert DBOS.export_workflow("w") == exported


def test_an_export_moves_from_one_database_to_the_other_kind(
    launch: Callable[..., None], request: pytest.FixtureRequest, database_url: str
) -> None:
    launch()
    with SetWorkflowID("w"):
        doubled(4)
    exported = DBOS.export_workflow("w")
    DBOS.destroy()
    other = "sqlite" if database_url.startswith("postgres") else "postgres"
    launch(system_database_url=request.getfixturevalue(f"{other}_url"))
    (handle,) = DBOS.import_workflow(exported)
    assert handle.get_result() == 8
    assert DBOS.export_workflow("w") == exported
    DBOS.destroy()  # before its database goes


def test_an_import_takes_all_or_nothing(dbos: type[DBOS]) -> None:
    exported = exported_halfway()
    with SetWorkflowID("j-2"):
        doubled(1)
    with pytest.raises(DBOSWorkflowIDInUseError, match="j-2"):
        DBOS.import_workflow(exported)
    assert [each.workflow_id for each in DBOS.list_workflows()] == ["j-2"]
    with pytest.raises(DBOSNonExistentWorkflowError):
        DBOS.export_workflow("nobody")


def test_an_import_that_meets_a_deduplication_id_changes_nothing(dbos: type[DBOS]) -> None:
    options: EnqueueOptions = {
        "workflow_name": "doubled",
        "queue_name": "nobody-serves-it",
        "deduplication_id": "only one",
    }
    first = DBOS.enqueue_workflow_with_options(options, 1)
    exported = DBOS.export_workflow(first.workflow_id)
    DBOS.delete_workflow(first.workflow_id)
    second = DBOS.enqueue_workflow_with_options(options, 1)
    with pytest.raises(DBOSException, match="nothing was imported"):
        DBOS.import_workflow(exported)
    assert [each.workflow_id for each in DBOS.list_workflows()] == [second.workflow_id]


def test_moving_inside_a_workflow_is_recorded(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        doubled(4)
    with SetWorkflowID("m"):
        assert mover("w") == 1
    names = [each["function_name"] for each in DBOS.list_workflow_steps("m")]
    assert names == ["DBOS.exportWorkflow", "DBOS.deleteWorkflow", "DBOS.importWorkflow"]


def test_what_is_no_export_is_refused_and_nothing_imported(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        doubled(4)
    good = DBOS.export_workflow("w")
    DBOS.delete_workflow("w")
    for bad, complaint in _spoilt(good):
        with pytest.raises(DBOSException, match=complaint):
            DBOS.import_workflow(bad)
    assert DBOS.list_workflows() == []


def _spoilt(good: str) -> list[tuple[Any, str]]:
    packed = base64.b64decode(good)
    content = json.loads(gzip.decompress(packed))

    def changed(table: str, column: str, value: Any) -> str:
        other = json.loads(json.dumps(content))
        part = other["tables"][table]
        part["rows"][0][part["columns"].index(column)] = value
        return _packed(other)

    return [
        (None, "export_workflow returned"),
        ("", "incomplete"),
        ("***", "not gzip"),
        (good[:-40], "incomplete|not gzip"),
        (base64.b64encode(packed + b"more").decode(), "after its end"),
        (_packed([]), "not an export"),
        (_packed({**content, "version": 2}), "version 2"),
        (_packed({**content, "tables": {"queues": {}}}), "unknown tables"),
        (_packed({**content, "tables": {}}), "no workflow"),
        (changed("workflow_status", "status", "LOST"), "'LOST' is not a status"),
        (changed("workflow_status", "created_at", "now"), "created_at"),
        (changed("workflow_status", "priority", 2**31), "priority"),
        (changed("workflow_status", "was_forked_from", None), "was_forked_from is missing"),
        (changed("workflow_status", "name", "a\x00b"), "not a value of workflow_status.name"),
        (changed("workflow_status", "attributes", ["x"]), "attributes"),
        (changed("operation_outputs", "workflow_uuid", "another"), "another workflow"),
    ]


def _packed(content: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(content).encode())).decode()


def failed(*names: str) -> list[str]:
    calls.clear()
    for name in names:
        with SetWorkflowID(name), pytest.raises(ValueError, match=name):
            fails(name)
    return [*names]


def test_forks_from_failure_run_the_failed_step_and_the_rest_again(dbos: type[DBOS]) -> None:
    handles = DBOS.fork_from_failure(failed("a", "b"))
    assert [each.get_result() for each in handles] == ["a", "b"]
    assert [each.get_status().forked_from for each in handles] == ["a", "b"]
    assert calls.count("double") == 2 + 2
    assert (calls.count("a"), calls.count("b")) == (2, 2)


@pytest.mark.parametrize(
    ("start", "doubled_again"),
    [
        ({"from_step": 1}, 2),
        ({"from_step_name": "double"}, 2),
        ({"from_last_step": True}, 1),
        ({"from_last_failure": True}, 1),
    ],
)
def test_forks_from_failure_begin_where_they_are_told(
    dbos: type[DBOS], start: dict[str, Any], doubled_again: int
) -> None:
    (handle,) = DBOS.fork_from_failure(failed("a"), **start)
    assert handle.get_result() == "a"
    assert calls.count("double") == 1 + doubled_again


def test_forks_from_failure_are_made_for_all_or_none(dbos: type[DBOS]) -> None:
    (source,) = failed("a")
    with pytest.raises(DBOSNonExistentWorkflowError, match="nobody"):
        DBOS.fork_from_failure([source, "nobody"])
    with pytest.raises(DBOSException, match="no step 'unknown'"):
        DBOS.fork_from_failure([source], from_step_name="unknown")
    with pytest.raises(DBOSException, match="exclude each other"):
        DBOS.fork_from_failure([source], from_step=1, from_last_step=True)
    assert [each.workflow_id for each in DBOS.list_workflows()] == [source]


@pytest.mark.parametrize("step", ["x", None, 1.5, True, 2**40])
def test_a_step_to_fork_from_is_a_number(dbos: type[DBOS], step: Any) -> None:
    with pytest.raises(DBOSException, match="number of a step"):
        DBOS.fork_workflow("w", step)
