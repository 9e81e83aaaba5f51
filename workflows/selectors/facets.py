"""Values to suggest in filters, from the newest rows of the table."""

from __future__ import annotations

from dboshub.workflows.selectors.scope import EVERYTHING, Viewer, all_in_scope
from dboshub.workflows.storage.sql import Session

NEWEST_ROWS = 10_000
MAX_VALUES = 200
# Query key to column.
COLUMNS = {
    "name": "name",
    "queue": "queue_name",
    "app": "application_name",
    "version": "application_version",
    "executor": "executor_id",
    "user": "authenticated_user",
    "schedule": "schedule_name",
}


def facets(session: Session, *, viewer: Viewer = EVERYTHING) -> dict[str, list[str]]:
    """Values by query key in alphabetical order; any MAX_VALUES of them if there are more."""
    columns = ", ".join(COLUMNS.values())
    parts = [
        f"SELECT * FROM (SELECT DISTINCT '{key}' AS key, {column} AS value FROM newest "
        f"WHERE {column} IS NOT NULL LIMIT :most) AS {key}_values"
        for key, column in COLUMNS.items()
    ]
    # The scope is no part of what is scanned: an application may have few rows among millions.
    newest = (
        f"WITH newest AS MATERIALIZED (SELECT {columns} FROM (SELECT {columns}"
        " FROM {workflow_status} ORDER BY created_at DESC LIMIT :newest) AS looked WHERE SCOPE) "
    )
    sql = newest + " UNION ALL ".join(parts)
    found = all_in_scope(session, sql, viewer, newest=NEWEST_ROWS, most=MAX_VALUES)
    values: dict[str, list[str]] = {key: [] for key in COLUMNS}
    for key, value in found:
        if value:
            values[key].append(value)
    return {key: sorted(each) for key, each in values.items()}
