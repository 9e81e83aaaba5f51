"""Workflows and what they record, written as rows: what pages read, without an engine."""

from __future__ import annotations

import base64
import pickle
from typing import Any

from dboshub.workflows.storage.sql import Session, Statement

T0 = 1_790_000_000_000
OF_WORKFLOWS = (
    *("workflow_input", "workflow_output", "operation_outputs", "notifications", "streams"),
    *("workflow_events", "workflow_events_history", "workflow_status"),
)


def pickled(value: Any) -> str:
    return base64.b64encode(pickle.dumps(value)).decode()


def insert(session: Session, table: str, **columns: Any) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(f":{name}" for name in columns)
    session.run(Statement(f"INSERT INTO {{{table}}} ({names}) VALUES ({values})"), **columns)


def delete_workflows(session: Session) -> None:
    """Delete all, with what belongs to them."""
    for table in OF_WORKFLOWS:
        session.run(Statement(f"DELETE FROM {{{table}}}"))


def add_workflow(
    session: Session,
    workflow_id: str,
    status: str = "SUCCESS",
    *,
    inputs: Any = None,
    output: Any = None,
    error: Any = None,
    **columns: Any,
) -> str:
    """A workflow that began at T0 and, if it ended, took four seconds."""
    ended = status not in ("PENDING", "ENQUEUED", "DELAYED")
    given = {
        "workflow_uuid": workflow_id,
        "status": status,
        "name": "checkout",
        "created_at": T0,
        "updated_at": T0,
        "completed_at": T0 + 4_000 if ended else None,
        "application_name": "shop",
        "application_version": "v1",
        "executor_id": "local",
        "serialization": "py_pickle",
        "recovery_attempts": 1,
    }
    insert(session, "workflow_status", **given | columns)
    arguments = {"args": () if inputs is None else (inputs,), "kwargs": {}}
    insert(session, "workflow_input", workflow_uuid=workflow_id, inputs=pickled(arguments))
    if status in ("SUCCESS", "ERROR"):
        outcome = {"error": pickled(error)} if status == "ERROR" else {"output": pickled(output)}
        insert(session, "workflow_output", workflow_uuid=workflow_id, **outcome)
    return workflow_id


def add_step(
    session: Session,
    workflow_id: str,
    number: int,
    name: str,
    start: int | None = 0,
    end: int | None = 100,
    *,
    child: str | None = None,
    output: Any = None,
    error: Any = None,
) -> None:
    """A step from `start` to `end`, in milliseconds after T0."""
    is_bare = child is not None and not name.startswith("DBOS.")
    insert(
        session,
        "operation_outputs",
        workflow_uuid=workflow_id,
        function_id=number,
        function_name=name,
        started_at_epoch_ms=None if start is None else T0 + start,
        completed_at_epoch_ms=None if end is None else T0 + end,
        child_workflow_id=child,
        output=None if is_bare or error is not None else pickled(output),
        error=None if error is None else pickled(error),
        serialization="py_pickle",
    )


def add_event(session: Session, workflow_id: str, key: str, *values: Any, step: int = 1) -> None:
    """An event set once for each value, by consecutive steps."""
    for at, value in enumerate(values):
        insert(
            session,
            "workflow_events_history",
            workflow_uuid=workflow_id,
            function_id=step + at,
            key=key,
            value=pickled(value),
            serialization="py_pickle",
        )
    insert(
        session,
        "workflow_events",
        workflow_uuid=workflow_id,
        key=key,
        value=pickled(values[-1]),
        serialization="py_pickle",
    )


def add_message(session: Session, workflow_id: str, value: Any, **columns: Any) -> None:
    given = {
        "message_uuid": f"m-{workflow_id}-{value}"[:80],
        "destination_uuid": workflow_id,
        "topic": "__null__topic__",
        "message": pickled(value),
        "created_at_epoch_ms": T0 + 500,
        "serialization": "py_pickle",
        "consumed": False,
    }
    insert(session, "notifications", **given | columns)


def add_stream(
    session: Session, workflow_id: str, key: str, *values: Any, closed: bool = False
) -> None:
    texts = [(pickled(value), "py_pickle") for value in values]
    if closed:
        texts.append(('"__DBOS_STREAM_CLOSED__"', "portable_json"))
    for offset, (text, serialization) in enumerate(texts):
        insert(
            session,
            "streams",
            workflow_uuid=workflow_id,
            key=key,
            offset=offset,
            value=text,
            serialization=serialization,
            function_id=offset + 1,
        )
