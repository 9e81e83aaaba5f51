"""Attributes: set at the start, changed later, searched on PostgreSQL."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub import DBOS, SetWorkflowAttributes, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Statement

STORE = Statement(
    "UPDATE {workflow_status} SET attributes = CAST(:attributes AS jsonb)"
    " WHERE workflow_uuid = 'bad'"
)


@DBOS.workflow()
def attributed() -> list[str]:
    return [attributed_child()]


@DBOS.workflow()
def attributed_child() -> str:
    return DBOS.workflow_id or ""


@DBOS.workflow()
def relabel(workflow_id: str, attributes: dict[str, Any] | None, merge: bool) -> None:
    DBOS.update_workflow_attributes(workflow_id, attributes, merge=merge)


def begin(workflow_id: str, attributes: dict[str, Any] | None) -> None:
    with SetWorkflowID(workflow_id), SetWorkflowAttributes(attributes):
        attributed()


def of(workflow_id: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = DBOS.get_workflow_status(workflow_id).attributes
    return found


def test_attributes_are_recorded_and_not_inherited(dbos: type[DBOS]) -> None:
    begin("w", {"tenant": "acme", "tags": ["a", 1, None]})
    assert of("w") == {"tenant": "acme", "tags": ["a", 1, None]}
    assert of("w-1") is None


def test_an_update_replaces_merges_or_clears(dbos: type[DBOS]) -> None:
    begin("w", {"tenant": "acme", "deep": {"a": 1}})
    DBOS.update_workflow_attributes("w", {"deep": {"b": None}, "new": True}, merge=True)
    assert of("w") == {"tenant": "acme", "deep": {"b": None}, "new": True}
    DBOS.update_workflow_attributes("w", {"only": 1})
    assert of("w") == {"only": 1}
    DBOS.update_workflow_attributes("w", None)
    assert of("w") is None
    DBOS.update_workflow_attributes("w", {"again": 1}, merge=True)
    assert of("w") == {"again": 1}
    DBOS.update_workflow_attributes("nobody", {"a": 1})


async def test_an_update_in_a_workflow_is_a_step(dbos: type[DBOS]) -> None:
    with SetWorkflowID("m"):
        handle = await DBOS.start_workflow_async(relabel, "m", {"by": "itself"}, True)
    await handle.get_result()
    status = await handle.get_status()
    assert status.attributes == {"by": "itself"}
    [step] = await DBOS.list_workflow_steps_async("m")
    assert step["function_name"] == "DBOS.updateWorkflowAttributes"
    await DBOS.update_workflow_attributes_async("m", None)
    assert (await handle.get_status()).attributes is None


@pytest.mark.parametrize(
    "bad",
    [
        [1],
        "text",
        {(1,): "one"},
        {"x": object()},
        {"x": float("nan")},
        {"x": "\ud800"},
        {"x": "\0"},
    ],
)
def test_what_is_no_json_object_is_refused(bad: Any, dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSException, match="Invalid workflow attributes"):
        SetWorkflowAttributes(bad)
    begin("w", {"kept": 1})
    with pytest.raises(DBOSException, match="Invalid workflow attributes"):
        DBOS.update_workflow_attributes("w", bad)
    with pytest.raises(DBOSException, match="Cannot merge None"):
        DBOS.update_workflow_attributes("w", None, merge=True)
    assert of("w") == {"kept": 1}


def test_a_list_finds_what_contains_the_attributes(dbos: type[DBOS], database_url: str) -> None:
    begin("acme", {"tenant": "acme", "tags": ["a", "b"]})
    begin("other", {"tenant": "other"})
    if database_url.startswith("sqlite"):
        with pytest.raises(DBOSException, match="is not supported on SQLite"):
            DBOS.list_workflows(attributes={"tenant": "acme"})
        return
    listed = DBOS.list_workflows(attributes={"tenant": "acme", "tags": ["b"]})
    assert [each.workflow_id for each in listed] == ["acme"]
    assert DBOS.list_workflows(attributes={"tenant": "nobody"}) == []


def test_what_another_program_stored_and_nobody_can_read_breaks_no_call(
    dbos: type[DBOS], database_url: str
) -> None:
    begin("good", {"tenant": "acme"})
    begin("bad", {"kept": 1})
    database = open_database(database_url)
    with database.writing() as session:
        session.run(STORE, attributes='{"digits": ' + "7" * 5_000 + "}")
    database.close()
    found = {each.workflow_id: each.attributes for each in DBOS.list_workflows(name="attributed")}
    assert found["good"] == {"tenant": "acme"}
    assert found["bad"] is None
    with pytest.raises(DBOSException, match=r"cannot be read .*replace them"):
        DBOS.update_workflow_attributes("bad", {"more": 1}, merge=True)
    with pytest.raises(DBOSException, match="attributes cannot be exported"):
        DBOS.export_workflow("bad")
    DBOS.update_workflow_attributes("bad", {"again": 1})
    assert of("bad") == {"again": 1}
