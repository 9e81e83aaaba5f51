"""Move workflows between system databases: read all that hangs on some, write it elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any

import psycopg

from dboshub.workflows.engine.errors import DBOSException, DBOSWorkflowIDInUseError
from dboshub.workflows.engine.records import INTERNAL_QUEUE, Status
from dboshub.workflows.storage.control import cancel, delete
from dboshub.workflows.storage.control.export_format import (
    FLAGS,
    KEYS,
    NUMBERS,
    OBJECTS,
    Row,
    pack,
    unpack,
)
from dboshub.workflows.storage.schema.columns import SYSTEM_COLUMNS
from dboshub.workflows.storage.sql import Session, Statement, Vendor, cached_statement

ROWS = 500  # in one statement

AMONG_SQLITE = "IN (SELECT value FROM json_each(:ids))"

EXISTING = Statement(
    postgres="SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid = ANY(:ids)",
    sqlite=f"SELECT workflow_uuid FROM {{workflow_status}} WHERE workflow_uuid {AMONG_SQLITE}",
)


def export(session: Session, workflow_id: str, *, children: bool) -> str:
    """All that is stored of a workflow, as text. Raises KeyError if there is none by this id.

    Needs a transaction: what runs waits, so that all is of one moment.
    """
    ids = _locked(session, workflow_id, children)
    if not ids:
        raise KeyError(workflow_id)
    tables = {table: list(_read(session, table, ids)) for table in KEYS}
    place = {each: at for at, each in enumerate(ids)}
    tables["workflow_status"].sort(key=lambda row: place[row["workflow_uuid"]])
    return pack(tables)


def import_(session: Session, text: str) -> list[Row]:
    """Write all workflows of an export or none, and return their rows, the exported one first.

    What ran is enqueued, to be gone on with here. Raises BundleError for a text that is no
    export, DBOSWorkflowIDInUseError if an id is taken.
    """
    tables = unpack(text)
    workflows = [_arrived(row) for row in tables["workflow_status"]]
    ids = [row["workflow_uuid"] for row in workflows]
    for chunk in cancel.chunks(ids):
        taken = session.one(EXISTING, ids=session.ids(chunk))
        if taken is not None:
            raise DBOSWorkflowIDInUseError(taken[0])
    try:
        for table, rows in (tables | {"workflow_status": workflows}).items():
            _write(session, table, rows)
    except (psycopg.IntegrityError, sqlite3.IntegrityError) as error:
        # A deduplication id, a message, or an id that somebody took in this moment.
        raise DBOSException(
            f"nothing was imported: the database holds a part of it already ({error})"
        ) from error
    return workflows


def _locked(session: Session, workflow_id: str, children: bool) -> list[str]:
    """The workflow and its descendants; none is started while they are looked for."""
    ids: list[str] = []
    wanted = [workflow_id]
    while len(wanted) > len(ids):
        for chunk in cancel.chunks(sorted(wanted)):
            session.all(delete.LOCK, ids=session.ids(chunk))
        ids = wanted
        if children:
            wanted = [workflow_id, *cancel.descendants(session, [workflow_id])]
    return ids if session.one(EXISTING, ids=session.ids([workflow_id])) else []


def _read(session: Session, table: str, ids: list[str]) -> Iterator[Row]:
    columns = SYSTEM_COLUMNS[table]
    names = ", ".join(f'"{column}"' for column in columns)
    key, *others = KEYS[table]
    order = ", ".join(f'"{each}"' for each in (key, *others))
    among = "= ANY(:ids)" if session.vendor == "postgresql" else AMONG_SQLITE
    found = cached_statement(
        f"SELECT {names} FROM {{{table}}} WHERE {key} {among} ORDER BY {order}"
    )
    for chunk in cancel.chunks(ids):
        for row in session.all(found, ids=session.ids(chunk)):
            yield {
                column: _plain(column, value) for column, value in zip(columns, row, strict=True)
            }


def _plain(column: str, value: Any) -> Any:
    """A value as PostgreSQL has it: SQLite knows neither booleans nor JSON."""
    if column in FLAGS and value is not None:
        return bool(value)
    if column in OBJECTS and isinstance(value, str):
        return json.loads(value)
    return value


def _arrived(row: Row) -> Row:
    """The row of a workflow that nobody here runs yet."""
    changes: Row = {"owner_xid": None}
    if row["status"] == Status.PENDING:
        changes["status"] = Status.ENQUEUED.value
        changes["queue_name"] = row["queue_name"] or INTERNAL_QUEUE
        changes["started_at_epoch_ms"] = None
    return row | changes


def _write(session: Session, table: str, rows: list[Row]) -> None:
    insert = _insert(table, session.vendor)
    columns, left = SYSTEM_COLUMNS[table], iter(rows)
    while chunk := list(islice(left, ROWS)):
        values = [[row[column] for column in columns] for row in chunk]
        session.run(insert, rows=json.dumps(values, ensure_ascii=False))


@cache
def _insert(table: str, vendor: Vendor) -> Statement:
    """Any number of rows from one JSON parameter."""
    columns = SYSTEM_COLUMNS[table]
    names = ", ".join(f'"{column}"' for column in columns)
    values = ", ".join(
        f"CAST(r.value ->> {at} AS {_type(column, vendor)})" for at, column in enumerate(columns)
    )
    is_postgres = vendor == "postgresql"
    source = "jsonb_array_elements(CAST(:rows AS jsonb))" if is_postgres else "json_each(:rows)"
    return Statement(f"INSERT INTO {{{table}}} ({names}) SELECT {values} FROM {source} AS r")


def _type(column: str, vendor: Vendor) -> str:
    if column in OBJECTS:
        return "jsonb" if vendor == "postgresql" else "text"
    if column in FLAGS:
        return "boolean"
    return "bigint" if column in NUMBERS else "text"
