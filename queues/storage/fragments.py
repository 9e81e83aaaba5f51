"""SQL text that statements on enqueued workflows share.

``:application`` and ``:version`` are those of the executing process; ``:refused`` lists the claim
keys that it cannot run; ``:now`` is in epoch milliseconds, NULL for the database's clock.
"""

from __future__ import annotations

from dboshub.workflows.storage.fragments import LATEST_VERSION, STATEMENT_MS

NOW_MS = f"COALESCE(:now, {STATEMENT_MS})"

# What decides whether a process can run a workflow; an empty name is not the lack of one. As
# digits, because SQLite may hold names that are no text, or that its JSON cuts at a NUL.
CLAIM_KEY = """encode(convert_to(
        COALESCE(name, '') || '\x1f' || COALESCE('=' || class_name, '')
        || '\x1f' || COALESCE('=' || config_name, '')
        || '\x1f' || COALESCE('=' || serialization, ''), 'UTF8'), 'hex')"""

# Workflows without a version are for the latest version or, if none is registered, for any. It is a
# CASE because of that the planner expects every other row to pass. Of equations it may expect so
# few that it reads and sorts the whole queue, where the first rows of the index are wanted.
RUNNABLE = f"""
    CASE
        WHEN application_name <> :application THEN FALSE
        WHEN application_version IS NULL THEN :version = COALESCE(({LATEST_VERSION}), :version)
        ELSE application_version = :version
    END
    AND NOT {CLAIM_KEY} = ANY(:refused)
"""

# Rows that another transaction has locked are skipped.
SKIP_LOCKED = "FOR NO KEY UPDATE SKIP LOCKED"
