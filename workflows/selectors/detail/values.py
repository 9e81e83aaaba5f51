"""Reads stored values of a workflow one at a time, up to a size, without decoding them.

The caller checks the permission to see payloads.
"""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.storage.sql import Session, Statement

# Characters of a value that a page shows; the whole value is a download.
MAX_SHOWN = 256 * 1_024


def sized(sql: str) -> Statement:
    """A statement with SIZE(…). On PostgreSQL it is the length that needs no decompression."""
    return Statement(sql.replace("SIZE(", "OCTET_LENGTH("))


@dataclass(frozen=True, slots=True)
class StoredValue:
    """A stored value: its text, of which the end may be missing, and the size of the whole."""

    text: str
    size: int
    serialization: str | None
    is_cut: bool = False

    @classmethod
    def up_to(cls, most: int, text: str, size: int, serialization: str | None) -> StoredValue:
        """The value up to `most` characters, of a text of which one more was read if it has."""
        return cls(text[:most], size, serialization, len(text) > most)


def _value(column: str, source: str) -> Statement:
    return sized(
        # SQLite's SUBSTR of no bytes is NULL.
        f"SELECT COALESCE(SUBSTR({column}, 1, :most), ''), SIZE({column}), found.serialization "
        f"FROM {source} AND {column} IS NOT NULL"
    )


_INPUT = "{workflow_status} AS found LEFT JOIN {workflow_input} AS given"
_OUTCOME = "{workflow_status} AS found LEFT JOIN {workflow_output} AS ended"
_ONE = "USING (workflow_uuid) WHERE found.workflow_uuid = :id"
_STEP = "{operation_outputs} AS found WHERE found.workflow_uuid = :id AND function_id = :step"

STATEMENTS = {
    "input": _value("COALESCE(given.inputs, found.inputs)", f"{_INPUT} {_ONE}"),
    "output": _value("COALESCE(ended.output, found.output)", f"{_OUTCOME} {_ONE}"),
    "error": _value("COALESCE(ended.error, found.error)", f"{_OUTCOME} {_ONE}"),
    "step": _value("found.output", _STEP),
    "step-error": _value("found.error", _STEP),
    "event": _value(
        "found.value",
        "{workflow_events} AS found WHERE found.workflow_uuid = :id AND found.key = :key",
    ),
    "history": _value(
        "found.value",
        "{workflow_events_history} AS found"
        " WHERE found.workflow_uuid = :id AND found.key = :key AND found.function_id = :step",
    ),
    "message": _value(
        "found.message",
        "{notifications} AS found WHERE found.destination_uuid = :id AND message_uuid = :key",
    ),
    "stream": _value(
        "found.value",
        "{streams} AS found"
        ' WHERE found.workflow_uuid = :id AND found.key = :key AND found."offset" = :step',
    ),
}
ATTRIBUTES = Statement(
    postgres="SELECT attributes::text FROM {workflow_status} WHERE workflow_uuid = :id",
    sqlite="SELECT attributes FROM {workflow_status} WHERE workflow_uuid = :id",
)


def value(
    session: Session,
    kind: str,
    workflow_id: str,
    *,
    key: str = "",
    step: int = 0,
    most: int = MAX_SHOWN,
) -> StoredValue | None:
    """One value by its kind, or None. `step` is a step id, or an offset for kind "stream"."""
    if kind == "attributes":
        return attributes(session, workflow_id)
    row = session.one(STATEMENTS[kind], id=workflow_id, key=key, step=step, most=most + 1)
    return None if row is None else StoredValue.up_to(most, *row)


def attributes(session: Session, workflow_id: str) -> StoredValue | None:
    """The attributes as JSON text: both databases store them as JSON."""
    row = session.one(ATTRIBUTES, id=workflow_id)
    if row is None or row[0] is None:
        return None
    return StoredValue(row[0], len(row[0]), "portable_json")


KINDS = frozenset({*STATEMENTS, "attributes"})
