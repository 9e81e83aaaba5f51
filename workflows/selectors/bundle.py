"""A workflow with its descendants as a bundle, within bounds, for whoever may see all of it."""

from __future__ import annotations

import json

from dboshub.workflows.engine.error_base import DBOSException
from dboshub.workflows.payloads import PORTABLE
from dboshub.workflows.payloads.redacted import has_no_redactions
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.control.export_format import Tables, pack
from dboshub.workflows.storage.control.transfer import read_tables
from dboshub.workflows.storage.id_lists import all_by_ids
from dboshub.workflows.storage.sql import Session, Statement

MAX_WORKFLOWS = 200
MAX_ROWS = 20_000
MAX_CHARACTERS = 64 * 1024 * 1024

CHILDREN = Statement(
    """
    SELECT workflow_uuid, application_name
    FROM {workflow_status}
    WHERE parent_workflow_id = ANY(:ids)
    ORDER BY created_at, workflow_uuid
    LIMIT :most
    """
)
# Columns with payloads, by table; of steps, events, streams and messages there may be many rows.
PAYLOADS: dict[str, tuple[str, ...]] = {
    "workflow_status": ("inputs", "output", "error"),
    "workflow_input": ("inputs",),
    "workflow_output": ("output", "error"),
    "operation_outputs": ("output", "error"),
    "workflow_events": ("value",),
    "workflow_events_history": ("value",),
    "streams": ("value",),
    "notifications": ("message",),
}


def _size(table: str, columns: tuple[str, ...]) -> Statement:
    """Rows and characters of the payloads of some workflows; it reads MAX_ROWS rows."""
    key = "destination_uuid" if table == "notifications" else "workflow_uuid"
    lengths = " + ".join(f"COALESCE(LENGTH({column}), 0)" for column in columns)
    return Statement(
        f"""
        SELECT COUNT(*), COALESCE(SUM({lengths}), 0)
        FROM (
            SELECT {", ".join(columns)}
            FROM {{{table}}}
            WHERE {key} = ANY(:ids)
            LIMIT {MAX_ROWS + 1}
        ) AS found
        """
    )


SIZES = [_size(table, columns) for table, columns in PAYLOADS.items()]


class BundleRefusedError(Exception):
    """The viewer may not see all of it; the text says why."""


class NoBundleError(Exception):
    """It is larger than a page gives, or a row cannot be read; the text says what to do."""


def bundle(session: Session, workflow_id: str, *, viewer: Viewer, sees_redacted: bool) -> str:
    """The bundle of a workflow that the viewer may see, with its descendants, as text.

    It locks nothing: what runs may record a step meanwhile. Raises BundleRefusedError and
    NoBundleError.
    """
    ids = _family(session, workflow_id, viewer)
    _check_size(session, ids)
    try:
        tables = read_tables(session, ids)
    except DBOSException as error:
        raise NoBundleError(f"One of its rows is broken: {error}.") from None
    if not sees_redacted and not _has_no_redactions(tables):
        raise BundleRefusedError(
            "Some of its values have redacted parts, or are too long to check: only a superuser "
            "may download it."
        )
    return pack(tables)


def _family(session: Session, workflow_id: str, viewer: Viewer) -> list[str]:
    """The workflow and its descendants, breadth first."""
    found = [workflow_id]
    frontier = found
    while frontier:
        rows = all_by_ids(session, CHILDREN, frontier, most=MAX_WORKFLOWS)
        if not all(viewer.may_see(application) for _, application in rows):
            raise BundleRefusedError("Some of its children are of applications you may not see.")
        frontier = [id_ for id_, _ in rows if id_ not in found]
        found = [*found, *frontier]
        if len(found) > MAX_WORKFLOWS:
            raise NoBundleError(_too_large(f"more than {MAX_WORKFLOWS} workflows"))
    return found


def _check_size(session: Session, ids: list[str]) -> None:
    total = 0
    for statement in SIZES:
        rows, size = (sum(each) for each in zip(*all_by_ids(session, statement, ids), strict=True))
        total += int(size)
        if rows > MAX_ROWS or total > MAX_CHARACTERS:
            limits = f"more than {MAX_ROWS:,} rows or {MAX_CHARACTERS // 1024**2} MiB"
            raise NoBundleError(_too_large(limits))


def _too_large(what: str) -> str:
    return f"It has {what}: export it from a terminal, by `workflow export`."


def _has_no_redactions(tables: Tables) -> bool:
    formats = {row["workflow_uuid"]: row["serialization"] for row in tables["workflow_status"]}
    texts = (
        (row[column], row.get("serialization", formats.get(row.get("workflow_uuid"))))
        for table, columns in PAYLOADS.items()
        for row in tables[table]
        for column in columns
    )
    attributes = ((json.dumps(row["attributes"]), PORTABLE) for row in tables["workflow_status"])
    return all(
        text is None or has_no_redactions(text, format_) for text, format_ in (*attributes, *texts)
    )
