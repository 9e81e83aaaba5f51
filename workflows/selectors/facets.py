"""Values to suggest in filters: what the newest rows hold, never the whole table."""

from __future__ import annotations

from workflows.selectors.rows import statement
from workflows.selectors.scope import EVERYTHING, Viewer
from workflows.storage.sql import Session

NEWEST = 20_000
MOST_COMBINATIONS = 5_000
MOST_VALUES = 200
# Query key to column, in the order the statement gives them.
COLUMNS = {
    "name": "name",
    "queue": "queue_name",
    "app": "application_name",
    "version": "application_version",
}


def facets(session: Session, *, viewer: Viewer = EVERYTHING) -> dict[str, list[str]]:
    """Values by query key, in alphabetical order."""
    scope = viewer.condition()
    columns = ", ".join(COLUMNS.values())
    found = session.all(
        statement(
            f"SELECT DISTINCT {columns} FROM (SELECT {columns} FROM {{workflow_status}} "
            f"{f'WHERE {scope.sql}' if scope else ''} ORDER BY created_at DESC LIMIT :newest"
            ") AS newest LIMIT :most"
        ),
        **(scope.params if scope else {}),
        newest=NEWEST,
        most=MOST_COMBINATIONS,
    )
    return {
        key: sorted({row[at] for row in found if row[at]})[:MOST_VALUES]
        for at, key in enumerate(COLUMNS)
    }
