"""SQL text that statements on enqueued workflows share.

``:application`` and ``:version`` are those of the executing process; ``:refused`` lists the claim
keys (`records.claim_key`) that it cannot run; ``:now`` is in epoch milliseconds, NULL for the
database's clock.
"""

from __future__ import annotations

from dboshub.workflows.storage.fragments import LATEST_VERSION, OWN_ROWS, STATEMENT_MS

NOW_MS = f"COALESCE(:now, {STATEMENT_MS})"

_CLAIM_KEY = """(
        name || '\x1f' || COALESCE('=' || class_name, '')
        || '\x1f' || COALESCE('=' || config_name, '')
        || '\x1f' || COALESCE('=' || serialization, '')
    )"""

# Workflows without a version are for the latest version or, if none is registered, for any.
RUNNABLE = f"""
    {OWN_ROWS}
    AND (
        application_version = :version
        OR application_version IS NULL AND :version = COALESCE(({LATEST_VERSION}), :version)
    )
    AND NOT {_CLAIM_KEY} = ANY(:refused)
"""

# Rows that another transaction has locked are skipped.
SKIP_LOCKED = "FOR NO KEY UPDATE SKIP LOCKED"
