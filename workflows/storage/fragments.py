"""SQL text that the statements of storage, queues, schedules and selectors share.

The text is PostgreSQL's SQL; `sql.Statement` translates it for SQLite. Times are epoch
milliseconds: ``:now`` is a parameter of the statement, ``:application`` the application's name.
"""

from __future__ import annotations

# The database's clock; on PostgreSQL it goes on while a statement runs or waits for a lock.
CLOCK_MS = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
# The time at which the statement began.
STATEMENT_MS = "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS bigint)"

TERMINAL = "status IN ('SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED')"
ACTIVE = "status IN ('ENQUEUED', 'PENDING', 'DELAYED')"

# As conditions, for which the index of work in flight is right. By the parentheses the translation
# finds them.
ENQUEUED = "(status = 'ENQUEUED')"
PENDING = "(status = 'PENDING')"


def is_still(status: str, table: str = "") -> str:
    """A condition on the status of a row that its key finds.

    It fits no index of what is in flight. Statistics that are older than a burst of workflows say
    that few are: the planner would read all of them in place of the key, once for each row.
    """
    return f"COALESCE({table}status, '') = '{status}'"


# Rows of one application, and rows without an owner.
OWN_ROWS = "(application_name = :application OR application_name IS NULL)"
# The same, or all rows if `:application` is NULL.
IN_SCOPE = """(
        CAST(:application AS text) IS NULL
        OR application_name = :application
        OR application_name IS NULL
    )"""

# Assignments that end a workflow without an outcome: it leaves its queue and loses its owner.
RETIRE = """
        queue_name = NULL,
        deduplication_id = NULL,
        started_at_epoch_ms = NULL,
        owner_xid = NULL,
        updated_at = :now,
        completed_at = :now"""
# Assignments that put a workflow back on a queue, whoever owned it.
REENQUEUE = """
        status = 'ENQUEUED',
        started_at_epoch_ms = NULL,
        owner_xid = NULL,
        updated_at = :now"""
# The same on a person's request: all attempts, the deadline and the deduplication id are reset.
RESTART = f"""{REENQUEUE},
        queue_name = :queue,
        recovery_attempts = 0,
        workflow_deadline_epoch_ms = NULL,
        deduplication_id = NULL,
        completed_at = NULL"""

# The arguments of a workflow; older libraries wrote them into its row.
INPUTS = """
    COALESCE(
        (
            SELECT given.inputs
            FROM {workflow_input} AS given
            WHERE given.workflow_uuid = workflow_status.workflow_uuid
        ),
        inputs
    )
"""

# Every reader of `application_versions` uses this order, so that all agree which one is the latest.
LATEST_FIRST = "version_timestamp DESC, created_at DESC, version_id"
LATEST_VERSION = f"""
    SELECT version_name
    FROM {{application_versions}}
    WHERE {OWN_ROWS}
    ORDER BY {LATEST_FIRST}
    LIMIT 1
"""


def locked_ids(condition: str = "TRUE") -> str:
    """A condition on `workflow_status`: the row is one of ``:ids`` and meets `condition`.

    Rows are locked in the order of their ids, so that two writers of several rows cannot deadlock.
    """
    return f"""workflow_uuid IN (
            SELECT workflow_uuid
            FROM {{workflow_status}}
            WHERE workflow_uuid = ANY(:ids)
                AND {condition}
            ORDER BY workflow_uuid
            FOR NO KEY UPDATE
        )
            AND {condition}"""


def table_exists(table: str) -> str:
    """An expression that is true if the table exists in the system database's schema."""
    return f"to_regclass('{{{table}}}') IS NOT NULL"
