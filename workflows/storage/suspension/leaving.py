"""Suspend workflows: from PENDING to DELAYED with a wake-up time, by compare-and-set on the owner.

Executors of the dbos library enqueue such a row when it is due, as any delayed one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dboshub.workflows.engine.records import INTERNAL_QUEUE
from dboshub.workflows.engine.suspension.records import Departure, Suspended, WaitRow
from dboshub.workflows.storage.fragments import is_still
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.translation import sqlite_text

# Who knows no wait rows replays the workflow at its next look: after an hour, or after the age of
# the workflow, at most after a day.
FIRST_LOOK_MS, LAST_LOOK_MS = 3_600_000, 86_400_000
_NEVER_MS = 2**62

# A row that has begun has `started_at_epoch_ms`: a delayed start has none.
_ASSIGNMENTS = f"""
        status = 'DELAYED',
        queue_name = COALESCE(queue_name, '{INTERNAL_QUEUE}'),
        owner_xid = NULL,
        started_at_epoch_ms = COALESCE(started_at_epoch_ms, created_at),
        recovery_attempts = CASE
            WHEN recovery_attempts > 0 THEN recovery_attempts - 1 ELSE recovery_attempts
        END,
        updated_at = :now,
        delay_until_epoch_ms = CASE
            WHEN {{has_keys}} THEN LEAST(
                {{until}},
                :now + LEAST({LAST_LOOK_MS}, GREATEST({FIRST_LOOK_MS}, :now - created_at))
            )
            ELSE {{until}}
        END"""
_SQLITE_PLACES = {
    "until": "json_extract(leaving.value, '$[2]')",
    "has_keys": "json_extract(leaving.value, '$[3]') > 0",
}

SUSPEND = Statement(
    postgres=f"""
        WITH held AS (
            SELECT status.workflow_uuid, CAST(leaving ->> 2 AS bigint) AS until,
                CAST(leaving ->> 3 AS integer) AS keys
            FROM {{workflow_status}} AS status
            JOIN json_array_elements(CAST(:leaving AS json)) AS leaving
                ON status.workflow_uuid = leaving ->> 0 AND status.owner_xid = leaving ->> 1
            WHERE {is_still("PENDING", "status.")}
            ORDER BY status.workflow_uuid
            FOR NO KEY UPDATE OF status SKIP LOCKED
        )
        UPDATE {{workflow_status}} AS suspended
        SET {_ASSIGNMENTS.format(until="held.until", has_keys="held.keys > 0")}
        FROM held
        WHERE suspended.workflow_uuid = held.workflow_uuid
        RETURNING suspended.workflow_uuid, suspended.created_at
    """,
    sqlite=f"""
        UPDATE {{workflow_status}}
        SET {sqlite_text(_ASSIGNMENTS.format(**_SQLITE_PLACES))}
        FROM json_each(:leaving) AS leaving
        WHERE workflow_uuid = json_extract(leaving.value, '$[0]')
            AND owner_xid = json_extract(leaving.value, '$[1]')
            AND {is_still("PENDING")}
        RETURNING workflow_uuid, created_at
    """,
)
STILL_OWNED = Statement(
    f"""
    SELECT workflow_uuid
    FROM {{workflow_status}}
    WHERE workflow_uuid = ANY(:ids)
        AND owner_xid = ANY(:owners)
        AND {is_still("PENDING")}
    """
)
FORGET = Statement("DELETE FROM {dboshub_wait} WHERE workflow_uuid = ANY(:ids)")
REMEMBER = Statement(
    postgres="""
        INSERT INTO {dboshub_wait} (kind, target, name, workflow_uuid, created_at)
        SELECT wait ->> 0, wait ->> 1, wait ->> 2, wait ->> 3, CAST(wait ->> 4 AS bigint)
        FROM json_array_elements(CAST(:waits AS json)) AS wait
        ON CONFLICT DO NOTHING
    """,
    sqlite="""
        INSERT INTO {dboshub_wait} (kind, target, name, workflow_uuid, created_at)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
        FROM json_each(:waits)
        WHERE TRUE
        ON CONFLICT DO NOTHING
    """,
)


def suspend(session: Session, departures: Sequence[Departure], *, now: int) -> Suspended:
    """Suspend those that still have their owners; one that is locked by others is named."""
    leaving = [_parameters(each) for each in departures]
    created_at: dict[str, int] = dict(session.all(SUSPEND, leaving=json.dumps(leaving), now=now))
    session.run(FORGET, ids=session.ids(created_at))
    waits = [
        WaitRow(*key, each.workflow_id, created_at[each.workflow_id])
        for each in departures
        if each.workflow_id in created_at
        for key in each.keys
    ]
    if waits:
        session.run(REMEMBER, waits=json.dumps(waits))
    left = [each for each in departures if each.workflow_id not in created_at]
    return Suspended(waits, _still_owned(session, left) if left else ())


def _parameters(departure: Departure) -> tuple[str, str, int, int]:
    until = _NEVER_MS if departure.until is None else departure.until
    return departure.workflow_id, departure.owner, until, len(departure.keys)


def _still_owned(session: Session, departures: Sequence[Departure]) -> set[str]:
    ids, owners = zip(*((each.workflow_id, each.owner) for each in departures), strict=True)
    rows = session.all(STILL_OWNED, ids=session.ids(ids), owners=session.ids(owners))
    return {row[0] for row in rows}
