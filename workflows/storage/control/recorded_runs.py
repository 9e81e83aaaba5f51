"""Recorded runs as a replay takes them, from the rows of a bundle or of the database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from dboshub.workflows.engine.operations.events import SET_EVENT
from dboshub.workflows.engine.operations.streams import CLOSE, WRITE
from dboshub.workflows.engine.records import Checkpoint, ClaimedWorkflow, Given, WorkflowOutcome
from dboshub.workflows.engine.replay.records import RecordedRun
from dboshub.workflows.storage.control.export_format import Row, Tables
from dboshub.workflows.storage.control.transfer import read_tables
from dboshub.workflows.storage.id_lists import all_by_ids
from dboshub.workflows.storage.sql import Session, Statement

ARGUMENTS = Statement(
    """
    SELECT w.workflow_uuid, COALESCE(i.inputs, w.inputs), w.serialization
    FROM {workflow_status} w
    LEFT JOIN {workflow_input} i ON i.workflow_uuid = w.workflow_uuid
    WHERE w.parent_workflow_id = :parent AND w.workflow_uuid = ANY(:ids)
    """
)


def recorded_run(session: Session, workflow_id: str) -> RecordedRun | None:
    """A recorded run, with the arguments of its children; None for an unknown id.

    It locks nothing: steps that a running workflow records meanwhile may be there or not.
    """
    tables = read_tables(session, [workflow_id])
    children = {row["child_workflow_id"] for row in tables["operation_outputs"]} - {None}
    rows = all_by_ids(session, ARGUMENTS, sorted(children), parent=workflow_id)
    arguments = {child: (inputs, format_) for child, inputs, format_ in rows if inputs is not None}
    return next(recorded_runs(tables, arguments), None)


def recorded_runs(
    tables: Tables, arguments: Mapping[str, Given] | None = None
) -> Iterator[RecordedRun]:
    """All runs of a bundle; `arguments` are those of children that are not in it."""
    by_id = {
        table: _by_workflow(rows) for table, rows in tables.items() if table != "notifications"
    }
    inputs = {id_: rows[0]["inputs"] for id_, rows in by_id["workflow_input"].items()}
    # Of each parent: a child that another workflow started may have got other arguments.
    started: defaultdict[str | None, dict[str, Given]] = defaultdict(dict)
    for row in tables["workflow_status"]:
        id_ = row["workflow_uuid"]
        text = inputs.setdefault(id_, row["inputs"])
        if text is not None:
            started[row["parent_workflow_id"]][id_] = (text, row["serialization"])
    for row in tables["workflow_status"]:
        id_ = row["workflow_uuid"]
        ended = next(iter(by_id["workflow_output"][id_]), row)
        steps = [_checkpoint(each) for each in by_id["operation_outputs"][id_]]
        yield RecordedRun(
            claimed=_claimed(row, inputs[id_], has_history=bool(steps)),
            steps=sorted(steps, key=lambda step: step.function_id),
            outcome=WorkflowOutcome(
                id_, row["status"], ended["output"], ended["error"], row["serialization"]
            ),
            given=_given(steps, by_id, id_, {**(arguments or {}), **started[id_]}),
        )


def _by_workflow(rows: list[Row]) -> defaultdict[str, list[Row]]:
    found: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["workflow_uuid"]].append(row)
    return found


def _claimed(row: Row, inputs: str | None, *, has_history: bool) -> ClaimedWorkflow:
    roles = row["authenticated_roles"]
    return ClaimedWorkflow(
        workflow_id=row["workflow_uuid"],
        name=row["name"] or "",
        owner="",
        inputs=inputs,
        serialization=row["serialization"],
        recovery_attempts=1,
        has_history=has_history,
        class_name=row["class_name"],
        config_name=row["config_name"],
        queue_name=row["queue_name"],
        partition_key=row["queue_partition_key"],
        deadline_ms=row["workflow_deadline_epoch_ms"],
        parent_id=row["parent_workflow_id"],
        authenticated_user=row["authenticated_user"],
        authenticated_roles=roles if roles is None or isinstance(roles, str) else json.dumps(roles),
        assumed_role=row["assumed_role"],
        application_version=row["application_version"],
        application_name=row["application_name"],
    )


def _checkpoint(row: Row) -> Checkpoint:
    return Checkpoint(
        function_id=row["function_id"],
        name=row["function_name"],
        output=row["output"],
        error=row["error"],
        serialization=row["serialization"],
        child_id=row["child_workflow_id"],
        started_at=row["started_at_epoch_ms"],
        completed_at=row["completed_at_epoch_ms"],
    )


def _given(
    steps: list[Checkpoint],
    by_id: Mapping[str, Mapping[str, list[Row]]],
    id_: str,
    arguments: Mapping[str, Given],
) -> dict[int, Given]:
    """What each step handed on, as far as it is recorded."""
    values: dict[tuple[str, int], Any] = {}
    for kind, table in (("event", "workflow_events_history"), ("stream", "streams")):
        for row in by_id[table].get(id_, ()):
            values[kind, row["function_id"]] = (row["value"], row["serialization"])
    found: dict[int, Given] = {}
    for step in steps:
        given: Given | None = None
        if step.name == SET_EVENT:
            given = values.get(("event", step.function_id))
        elif step.name in (WRITE, CLOSE):
            given = values.get(("stream", step.function_id))
        elif step.child_id is not None:
            given = arguments.get(step.child_id)
        if given is not None:
            found[step.function_id] = given
    return found
