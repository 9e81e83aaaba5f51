"""Export and import of workflows: read all their rows, and insert them in another database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from typing import Any

import psycopg

from dboshub.workflows.engine.errors import DBOSException, DBOSWorkflowIDInUseError
from dboshub.workflows.engine.records import ACTIVE, INTERNAL_QUEUE, Status
from dboshub.workflows.engine.stored_json import UnreadableJsonError, stored_json
from dboshub.workflows.storage.control import cancel, delete
from dboshub.workflows.storage.control.export_format import (
    FLAGS,
    KEYS,
    NUMBERS,
    OBJECTS,
    Row,
    Tables,
    pack,
    unpack,
)
from dboshub.workflows.storage.id_lists import all_by_ids, id_chunks
from dboshub.workflows.storage.schema.columns import SYSTEM_COLUMNS
from dboshub.workflows.storage.sql import Session, Statement, Vendor, cached_statement

MAX_ROWS = 500  # in one statement

EXISTING = Statement("SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid = ANY(:ids)")


def export(session: Session, workflow_id: str, *, children: bool) -> str:
    """A workflow and, if `children`, its descendants as text. Raises KeyError for an unknown id.

    Needs a transaction. It locks the workflows' rows, so that executors wait and the export is
    consistent.
    """
    ids = _locked(session, workflow_id, children)
    if not ids:
        raise KeyError(workflow_id)
    return pack(read_tables(session, ids))


def read_tables(session: Session, ids: list[str]) -> dict[str, list[Row]]:
    """All rows of these workflows by table, the workflows in the given order. It locks nothing."""
    tables = {table: list(_read(session, table, ids)) for table in KEYS}
    position = {each: at for at, each in enumerate(ids)}
    tables["workflow_status"].sort(key=lambda row: position[row["workflow_uuid"]])
    return tables


def import_(session: Session, text: str) -> list[Row]:
    """Insert all workflows of an export or none; return their rows, the exported one first.

    Workflows that were running are enqueued. Raises BundleError for a text that is no export,
    DBOSWorkflowIDInUseError for an id that exists, and DBOSException for any other row that does.
    """
    return insert(session, unpack(text), continued)


def insert(session: Session, tables: Tables, change: Callable[[Row], Row]) -> list[Row]:
    """Insert the rows of a bundle, those of workflows changed; raises as ``import_`` does."""
    workflows = [change(row) for row in tables["workflow_status"]]
    ids = [row["workflow_uuid"] for row in workflows]
    existing = all_by_ids(session, EXISTING, ids)
    if existing:
        raise DBOSWorkflowIDInUseError(existing[0][0])
    try:
        for table, rows in (tables | {"workflow_status": workflows}).items():
            _write(session, table, rows)
    except (psycopg.IntegrityError, sqlite3.IntegrityError) as error:
        # A deduplication id, a message id, or a workflow id that was inserted in the meantime.
        raise DBOSException(
            f"nothing was imported: the database holds a part of it already ({error})"
        ) from error
    return workflows


def _locked(session: Session, workflow_id: str, children: bool) -> list[str]:
    """Lock a workflow and its descendants, also those started meanwhile; return their ids."""
    ids: list[str] = []
    wanted = [workflow_id]
    while len(wanted) > len(ids):
        for chunk in id_chunks(wanted):
            session.all(delete.LOCK, ids=session.ids(chunk))
        ids = wanted
        wanted = cancel.with_descendants(session, [workflow_id], children=children)
    return ids if session.one(EXISTING, ids=session.ids([workflow_id])) else []


def _read(session: Session, table: str, ids: list[str]) -> Iterator[Row]:
    columns = SYSTEM_COLUMNS[table]
    names = ", ".join(f'"{column}"' for column in columns)
    key, *others = KEYS[table]
    order = ", ".join(f'"{each}"' for each in (key, *others))
    found = cached_statement(
        f"SELECT {names} FROM {{{table}}} WHERE {key} = ANY(:ids) ORDER BY {order}"
    )
    for row in all_by_ids(session, found, ids):
        yield {column: _plain(column, value) for column, value in zip(columns, row, strict=True)}


def _plain(column: str, value: Any) -> Any:
    """A value as PostgreSQL returns it: SQLite has neither booleans nor JSON values."""
    if column in FLAGS and value is not None:
        return bool(value)
    if column in OBJECTS and isinstance(value, str):
        try:
            return stored_json(value)
        except UnreadableJsonError as error:
            raise DBOSException(f"the column {column} cannot be exported: {error}") from None
    return value


def continued(row: Row) -> Row:
    """The row without an owner; a running workflow becomes an enqueued one."""
    changes: Row = {"owner_xid": None}
    if row["status"] == Status.PENDING:
        changes["status"] = Status.ENQUEUED.value
        changes["queue_name"] = row["queue_name"] or INTERNAL_QUEUE
        changes["started_at_epoch_ms"] = None
    return row | changes


def inert(row: Row, *, now: int) -> Row:
    """The row without an owner; what has not ended is cancelled, so that nothing runs it."""
    changes: Row = {"owner_xid": None}
    if row["status"] in ACTIVE:
        changes["status"] = Status.CANCELLED.value
        changes |= dict.fromkeys(("queue_name", "deduplication_id", "started_at_epoch_ms"))
        changes |= dict.fromkeys(("updated_at", "completed_at"), now)
    return row | changes


def _write(session: Session, table: str, rows: list[Row]) -> None:
    insert = _insert(table, session.vendor)
    columns, left = SYSTEM_COLUMNS[table], iter(rows)
    while chunk := list(islice(left, MAX_ROWS)):
        values = [[row[column] for column in columns] for row in chunk]
        session.run(insert, rows=json.dumps(values, ensure_ascii=False))


@cache
def _insert(table: str, vendor: Vendor) -> Statement:
    """A statement that inserts any number of rows from one JSON parameter."""
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
