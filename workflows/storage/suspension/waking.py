"""Find and wake suspended workflows by what they wait for. Every statement is bounded by its list.

Waits that end by time alone need none of this: the row is enqueued when its delay is over.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from dboshub.workflows.engine.suspension.records import (
    EVENT,
    MESSAGE,
    MUST_EXIST,
    RESULT,
    WaitRow,
    WakeKey,
)
from dboshub.workflows.storage.sql import Row, Session, Statement
from dboshub.workflows.storage.suspension.leaving import FORGET
from dboshub.workflows.storage.translation import sqlite_text
from dboshub.workflows.storage.waiting.awaited_values import events_among, messages_among
from dboshub.workflows.storage.waiting.outcomes import settled_among

_COLUMNS = "wait.kind, wait.target, wait.name, wait.workflow_uuid, wait.created_at"
_KEY_OF_WAIT = """wait.kind = listed.value ->> 0
        AND wait.target = listed.value ->> 1
        AND wait.name = listed.value ->> 2"""
_ROW_OF_WAIT = f"""{_KEY_OF_WAIT}
        AND wait.workflow_uuid = listed.value ->> 3"""


def _by_list(text: str) -> Statement:
    """A statement on ``{listed}``: the elements of the JSON list ``:listed``, as `value`."""
    return Statement(
        postgres=text.replace("{listed}", "json_array_elements(CAST(:listed AS json))"),
        sqlite=sqlite_text(text.replace("{listed}", "json_each(:listed)")),
    )


WAITS_FOR = _by_list(f"""
    SELECT {_COLUMNS}
    FROM {{listed}} AS listed
    JOIN {{dboshub_wait}} AS wait ON {_KEY_OF_WAIT}
    LIMIT :most
""")
FIRST_WAITS = Statement(f"""
    SELECT {_COLUMNS}
    FROM {{dboshub_wait}} AS wait
    ORDER BY kind, target, name, workflow_uuid
    LIMIT :most
""")
NEXT_WAITS = Statement(f"""
    SELECT {_COLUMNS}
    FROM {{dboshub_wait}} AS wait
    WHERE (kind, target, name, workflow_uuid) > (:kind, :target, :name, :workflow_id)
    ORDER BY kind, target, name, workflow_uuid
    LIMIT :most
""")
_STALE = f"""
    FROM {{listed}} AS listed
    JOIN {{dboshub_wait}} AS wait ON {_ROW_OF_WAIT}
    WHERE NOT EXISTS (
        SELECT 1
        FROM {{workflow_status}} AS status
        WHERE status.workflow_uuid = wait.workflow_uuid
            AND status.created_at = wait.created_at
            AND status.status = 'DELAYED'
    )
"""
STALE = _by_list(f"SELECT {_COLUMNS} {_STALE}")
# A wait row that is being written anew is locked by whoever writes it, and skipped.
FORGET_STALE = _by_list(f"""
    DELETE FROM {{dboshub_wait}}
    WHERE (kind, target, name, workflow_uuid) IN (
        SELECT wait.kind, wait.target, wait.name, wait.workflow_uuid
        {_STALE}
        FOR UPDATE OF wait SKIP LOCKED
    )
""")
# From now on the row waits on its queue: its wake-up time is now.
WAKE = _by_list("""
    UPDATE {workflow_status}
    SET status = 'ENQUEUED', delay_until_epoch_ms = LEAST(delay_until_epoch_ms, :now)
    WHERE workflow_uuid IN (
        SELECT status.workflow_uuid
        FROM {listed} AS listed
        JOIN {workflow_status} AS status
            ON status.workflow_uuid = listed.value ->> 0
                AND status.created_at = CAST(listed.value ->> 1 AS bigint)
        WHERE status.status = 'DELAYED'
        ORDER BY status.workflow_uuid
        FOR NO KEY UPDATE OF status SKIP LOCKED
    )
    RETURNING workflow_uuid, queue_name
""")


def waits_for(session: Session, keys: Sequence[WakeKey], *, most: int) -> list[WaitRow]:
    """At most so many wait rows with one of these keys."""
    return _waits(session.all(WAITS_FOR, listed=json.dumps(keys), most=most))


def waits_after(session: Session, last: WaitRow | None, *, most: int) -> list[WaitRow]:
    """The next wait rows in the order of the primary key; None begins with the first."""
    if last is None:
        return _waits(session.all(FIRST_WAITS, most=most))
    after = last._asdict()
    del after["created_at"]
    return _waits(session.all(NEXT_WAITS, **after, most=most))


def stale(session: Session, waits: Sequence[WaitRow]) -> list[WaitRow]:
    """Those of these wait rows whose workflow is not suspended any more."""
    return _waits(session.all(STALE, listed=json.dumps(waits)))


def forget_stale(session: Session, waits: Sequence[WaitRow]) -> int:
    """Delete those of these wait rows whose workflow is not suspended any more."""
    return session.run(FORGET_STALE, listed=json.dumps(waits))


def ready(session: Session, waits: Sequence[WaitRow]) -> list[WaitRow]:
    """Those of these wait rows whose message, event or outcome is there."""
    pairs = {
        kind: [(each.target, each.name) for each in waits if each.kind == kind]
        for kind in (MESSAGE, EVENT)
    }
    results = {each.target for each in waits if each.kind == RESULT}
    found = {(MESSAGE, *each) for each in messages_among(session, pairs[MESSAGE])}
    found |= {(EVENT, *each) for each in events_among(session, pairs[EVENT])}
    for target, has_ended in settled_among(session, results):
        found.add((RESULT, target, MUST_EXIST))
        if has_ended:
            found.add((RESULT, target, ""))
    return [each for each in waits if each.key in found]


def wake(session: Session, waits: Sequence[WaitRow], *, now: int) -> list[str]:
    """Enqueue these workflows, if they are still suspended; return the names of their queues."""
    listed = json.dumps([(each.workflow_id, each.created_at) for each in waits])
    woken = session.all(WAKE, listed=listed, now=now)
    if woken:
        session.run(FORGET, ids=session.ids(row[0] for row in woken))
    return sorted({row[1] for row in woken if row[1]})


def _waits(rows: Sequence[Row]) -> list[WaitRow]:
    return [WaitRow(*row) for row in rows]
