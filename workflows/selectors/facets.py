"""Values to suggest in filters: what the newest rows hold, never the whole table."""

from __future__ import annotations

from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session, cached_statement

NEWEST = 10_000
MOST_VALUES = 200
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
    """Values by query key, in alphabetical order; of more than MOST_VALUES, any."""
    scope = viewer.condition()
    columns = ", ".join(COLUMNS.values())
    parts = [
        f"SELECT * FROM (SELECT DISTINCT '{key}' AS key, {column} AS value FROM newest "
        f"WHERE {column} IS NOT NULL LIMIT :most) AS {key}_values"
        for key, column in COLUMNS.items()
    ]
    found = session.all(
        cached_statement(
            f"WITH newest AS MATERIALIZED (SELECT {columns} FROM {{workflow_status}} "
            f"{f'WHERE {scope.sql}' if scope else ''} ORDER BY created_at DESC LIMIT :newest) "
            + " UNION ALL ".join(parts)
        ),
        **(scope.params if scope else {}),
        newest=NEWEST,
        most=MOST_VALUES,
    )
    values: dict[str, list[str]] = {key: [] for key in COLUMNS}
    for key, value in found:
        if value:
            values[key].append(value)
    return {key: sorted(each) for key, each in values.items()}
