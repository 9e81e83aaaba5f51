"""The parts that statements on queued workflows share, for both databases.

Parameters they bring along: ``:application`` and ``:version`` are the process's own,
``:now`` is None for the database's clock.
"""

from __future__ import annotations

from dboshub.workflows.storage.sql import Statement

# Rows of this application, and those that nobody owns yet.
OURS = "(application_name = :application OR application_name IS NULL)"

# SQLite uses a partial index only where its condition is repeated word for word.
ENQUEUED = "status = 'ENQUEUED' AND status IN ('ENQUEUED', 'PENDING')"
PENDING = "status = 'PENDING' AND status IN ('ENQUEUED', 'PENDING')"

# A row without a version belongs to the latest one registered, or to any while none is.
RUNNABLE = f"""
    {OURS}
    AND (
        application_version = :version
        OR application_version IS NULL AND :version = COALESCE(
            (
                SELECT version_name
                FROM {{application_versions}}
                WHERE {OURS}
                ORDER BY version_timestamp DESC
                LIMIT 1
            ),
            :version
        )
    )
"""

# Both stand still within one statement.
_POSTGRES_NOW = """
    COALESCE(:now, CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint))
"""
_SQLITE_NOW = """
    COALESCE(:now, CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER))
"""

_POSTGRES_CARRIED = "attributes ->> 'dbos.otelContext'"
_SQLITE_CARRIED = """
    CASE
        WHEN json_valid(attributes)
        THEN CAST(json_extract(attributes, '$."dbos.otelContext"') AS TEXT)
    END
"""


def statement(sql: str) -> Statement:
    """One text for both, in which NOW is the time and LOCKED keeps off rows in other hands.

    CARRIED is the trace that the attributes carry.
    """
    return Statement(
        postgres=sql.replace("NOW", _POSTGRES_NOW.strip())
        .replace("LOCKED", "FOR NO KEY UPDATE SKIP LOCKED")
        .replace("CARRIED", _POSTGRES_CARRIED),
        # SQLite's writer is alone.
        sqlite=sql.replace("NOW", _SQLITE_NOW.strip())
        .replace("LOCKED", "")
        .replace("CARRIED", _SQLITE_CARRIED.strip()),
    )
