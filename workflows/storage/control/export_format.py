"""The text format of exported workflows: JSON, compressed with gzip, in base64.

Rows are stored by table and column name, so that any release can read them. Payloads are copied
without decoding them. `unpack` checks a text completely before it returns anything.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import json
import zlib
from collections.abc import Mapping
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import Status
from dboshub.workflows.storage.schema.columns import SYSTEM_COLUMNS

FORMAT = "dboshub.workflows"
VERSION = 1
MAX_BYTES = 256 * 1024 * 1024  # of JSON: an unpacked export must fit into memory
GZIP = 31  # zlib's window bits for a gzip header

# The primary key of each table, the workflow's id first. Parent tables come before their children.
KEYS: dict[str, tuple[str, ...]] = {
    "workflow_status": ("workflow_uuid",),
    "workflow_input": ("workflow_uuid",),
    "workflow_output": ("workflow_uuid",),
    "operation_outputs": ("workflow_uuid", "function_id"),
    "workflow_events": ("workflow_uuid", "key"),
    "workflow_events_history": ("workflow_uuid", "function_id", "key"),
    "streams": ("workflow_uuid", "key", "offset"),
    "notifications": ("destination_uuid", "message_uuid"),
}
REQUIRED: dict[str, tuple[str, ...]] = {
    "workflow_status": (
        "status",
        "created_at",
        "updated_at",
        "priority",
        "was_forked_from",
        "rate_limited",
        "is_debounced",
    ),
    "workflow_input": ("retention_timestamp",),
    "workflow_output": ("retention_timestamp",),
    "operation_outputs": ("function_name", "retention_timestamp"),
    "workflow_events": ("value",),
    "workflow_events_history": ("value",),
    "streams": ("value", "function_id"),
    "notifications": ("message", "created_at_epoch_ms", "consumed"),
}
FLAGS = {"was_forked_from", "rate_limited", "is_debounced", "consumed"}
SHORT_NUMBERS = {"function_id", "offset", "consumed_by_function_id", "priority"}
NUMBERS = SHORT_NUMBERS | {
    "created_at",
    "updated_at",
    "started_at_epoch_ms",
    "completed_at",
    "recovery_attempts",
    "workflow_timeout_ms",
    "workflow_deadline_epoch_ms",
    "delay_until_epoch_ms",
    "debounce_deadline_epoch_ms",
    "retention_timestamp",
    "completed_at_epoch_ms",
    "created_at_epoch_ms",
}
OBJECTS = {"attributes"}

Row = dict[str, Any]
Tables = dict[str, list[Row]]


class BundleError(DBOSException):
    """The text is no export that can be imported; nothing was imported."""


def pack(tables: Mapping[str, list[Row]]) -> str:
    """Rows as text. Raises DBOSException if they exceed MAX_BYTES, the limit of an import."""
    packed = {
        table: {
            "columns": SYSTEM_COLUMNS[table],
            "rows": [[row[column] for column in SYSTEM_COLUMNS[table]] for row in rows],
        }
        for table, rows in tables.items()
    }
    content = {"format": FORMAT, "version": VERSION, "tables": packed}
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    if len(data) > MAX_BYTES:
        raise DBOSException(
            f"this export has {len(data):,} bytes, and the limit is {MAX_BYTES:,}: "
            "export the workflow without its children, and the children one by one"
        )
    # Without a timestamp in the gzip header equal rows give equal texts.
    return base64.b64encode(gzip.compress(data, mtime=0)).decode()


def unpack(text: str) -> Tables:
    """The rows of a text by table, each with all columns. Raises BundleError."""
    content = _content(text)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BundleError("this is not an export of workflows")
    if content.get("version") != VERSION:
        raise BundleError(
            f"this export has version {content.get('version')!r:.20}, and {VERSION} can be read: "
            "import it with the release that made it, or a newer one"
        )
    tables = content.get("tables")
    if not isinstance(tables, dict) or tables.keys() - KEYS.keys():
        raise BundleError("this export contains unknown tables")
    found = {table: _rows(table, tables.get(table, {})) for table in KEYS}
    _check(found)
    return found


def _content(text: str) -> Any:
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
        unpacking = zlib.decompressobj(GZIP)
        data = unpacking.decompress(packed, MAX_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error, AttributeError) as error:
        raise BundleError("this is not an export of workflows: it is not gzip in base64") from error
    if len(data) > MAX_BYTES:
        raise BundleError(f"this export has more than {MAX_BYTES:,} bytes")
    if not unpacking.eof or unpacking.unused_data:
        raise BundleError("this export is incomplete, or has data after its end")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError("this is not an export of workflows: it contains no JSON") from error


def _rows(table: str, given: Any) -> list[Row]:
    given = given if isinstance(given, dict) else {"columns": None}
    columns, rows = given.get("columns", []), given.get("rows", [])
    if not isinstance(columns, list) or not isinstance(rows, list):
        raise BundleError(f"{table} has no columns and rows")
    known = SYSTEM_COLUMNS[table]
    if not all(isinstance(each, str) and each in known for each in columns):
        raise BundleError(f"{table} has unknown columns")
    found = []
    for row in rows:
        if not isinstance(row, list) or len(row) != len(columns):
            raise BundleError(f"{table} has a row whose length differs from its columns")
        found.append(dict.fromkeys(known) | dict(zip(columns, row, strict=True)))
    return found


def _check(tables: Tables) -> None:
    ids = {str(row["workflow_uuid"]) for row in tables["workflow_status"]}
    if not ids:
        raise BundleError("this export contains no workflow")
    for table, rows in tables.items():
        seen: set[tuple[Any, ...]] = set()
        for row in rows:
            for column, value in row.items():
                _check_value(table, column, value)
            key = tuple(row[column] for column in KEYS[table])
            if key in seen or key[0] not in ids:
                raise BundleError(f"{table} has a duplicate row or one of another workflow: {key}")
            seen.add(key)
    for row in tables["workflow_status"]:
        if row["status"] not in {*Status}:
            raise BundleError(f"{row['status']!r:.40} is not a status")


def _check_value(table: str, column: str, value: Any) -> None:
    if value is None:
        if column in KEYS[table] or column in REQUIRED[table]:
            raise BundleError(f"{table}.{column} is missing")
    elif not _fits(column, value):
        raise BundleError(f"{value!r:.40} is not a value of {table}.{column}")


def _fits(column: str, value: Any) -> bool:
    if column in FLAGS:
        return isinstance(value, bool)
    if column in NUMBERS:
        most = 2**31 if column in SHORT_NUMBERS else 2**63
        return isinstance(value, int) and not isinstance(value, bool) and -most <= value < most
    if column in OBJECTS:
        # jsonb of PostgreSQL accepts no NUL, not even as an escape.
        return isinstance(value, dict) and "\\u0000" not in json.dumps(value)
    return isinstance(value, str) and _is_storable(value)


def _is_storable(text: str) -> bool:
    """Whether both databases can store the text: no NUL and no unpaired surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
