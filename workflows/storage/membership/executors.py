"""The table of executors: each process registers one incarnation and beats.

An incarnation is live until it stopped or was declared dead; neither is ever taken back.
All times in the table are the database's own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from dboshub.workflows.engine.membership.heartbeat import Heartbeat
from dboshub.workflows.engine.membership.incarnations import PROTOCOL, ProcessIdentity
from dboshub.workflows.engine.membership.leases import ObservedExecutor
from dboshub.workflows.storage.sql import Session, Statement

# What statements here write as LIVE, OF_PROCESS and NOW.
LIVE = "stopped_at IS NULL AND declared_dead_at IS NULL"
_OF_PROCESS = """hostname = :hostname
        AND pid = :pid
        AND boot_id = :boot_id
        AND pid_namespace = :pid_namespace
        AND process_started = :process_started
        AND LIVE"""
_PG_NOW = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)"
_SQLITE_NOW = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What a process says of itself when it registers."""

    executor_id: str
    application_name: str | None
    application_version: str | None
    process: ProcessIdentity
    lease_ms: int
    queues: str | None = None  # JSON list of the names it serves; NULL: all
    slots: int | None = None


def _statement(sql: str) -> Statement:
    sql = sql.replace("OF_PROCESS", _OF_PROCESS).replace("LIVE", LIVE)
    return Statement(
        postgres=sql.replace("NOW", _PG_NOW)
        .replace("JSON_LIST", "json_build_array")
        .replace("JSON_ALL", "json_agg"),
        sqlite=sql.replace("NOW", _SQLITE_NOW)
        .replace("JSON_LIST", "json_array")
        .replace("JSON_ALL", "json_group_array"),
    )


REGISTER = _statement(
    """
    INSERT INTO {dboshub_executor} (
        incarnation, executor_id, application_name, application_version, hostname, pid,
        boot_id, pid_namespace, process_started, protocol, lease_ms, queues, slots, functions,
        registered_at, last_beat_at
    )
    VALUES (
        :incarnation, :executor_id, :application_name, :application_version, :hostname, :pid,
        :boot_id, :pid_namespace, :process_started, :protocol, :lease_ms, :queues, :slots,
        :functions, NOW, NOW
    )
    """
)

# One round trip: beat, learn one's own fate, read the clock, see everybody else. RETURNING
# sees the row as this statement left it, the subquery the table as it was before. (IS NULL
# in a RETURNING is wrong in SQLite 3.40; the value itself is right.)
BEAT = _statement(
    """
    UPDATE {dboshub_executor}
    SET beat = CASE WHEN LIVE THEN beat + 1 ELSE beat END,
        last_beat_at = CASE WHEN LIVE THEN NOW ELSE last_beat_at END,
        busy = :busy,
        activity = COALESCE(:activity, activity),
        functions = COALESCE(:functions, functions)
    WHERE incarnation = :incarnation
    RETURNING COALESCE(stopped_at, declared_dead_at), NOW, (
        SELECT CAST(JSON_ALL(JSON_LIST(
            other.incarnation, other.beat, other.lease_ms, other.hostname, other.pid,
            other.boot_id, other.pid_namespace, other.process_started
        )) AS text)
        FROM {dboshub_executor} AS other
        WHERE LIVE AND other.incarnation <> :incarnation
    )
    """
)

# Waits for a beat that is under way, and then sees its number: a process whose beat came
# through at the last moment stays alive.
DECLARE_DEAD = _statement(
    """
    UPDATE {dboshub_executor}
    SET declared_dead_at = NOW, declared_dead_by = :by
    WHERE incarnation = :incarnation
        AND beat = :beat
        AND LIVE
    """
)

MARK_DEAD = _statement(
    """
    UPDATE {dboshub_executor}
    SET declared_dead_at = NOW, declared_dead_by = :by
    WHERE OF_PROCESS
    """
)
STOP = _statement(
    """
    UPDATE {dboshub_executor}
    SET stopped_at = NOW, busy = 0, activity = NULL
    WHERE incarnation = :incarnation AND LIVE
    """
)
STOP_PROCESS = _statement(
    """
    UPDATE {dboshub_executor}
    SET stopped_at = NOW, busy = 0, activity = NULL
    WHERE OF_PROCESS
    """
)
LIVE_OF_PROCESS = _statement("SELECT incarnation FROM {dboshub_executor} WHERE OF_PROCESS")

FORGET = _statement(
    """
    DELETE FROM {dboshub_executor}
    WHERE COALESCE(stopped_at, declared_dead_at) < NOW - :kept_ms
        AND incarnation NOT IN (
            SELECT substr(owner_xid, 5, 32)
            FROM {workflow_status}
            WHERE status = 'PENDING' AND owner_xid LIKE 'hub:%'
        )
    """
)


def register(
    session: Session, incarnation: str, executor: Executor, *, functions: str | None = None
) -> None:
    """Insert a live incarnation; from its commit on, its tokens are respected."""
    session.run(
        REGISTER,
        incarnation=incarnation,
        executor_id=executor.executor_id,
        application_name=executor.application_name,
        application_version=executor.application_version,
        **_process_params(executor.process),
        protocol=PROTOCOL,
        lease_ms=executor.lease_ms,
        queues=executor.queues,
        slots=executor.slots,
        functions=functions,
    )


def beat(
    session: Session,
    incarnation: str,
    *,
    busy: int = 0,
    activity: str | None = None,
    functions: str | None = None,
) -> Heartbeat | None:
    """Beat once and return what was seen; None once this incarnation is not live any more.

    None for `activity` or `functions` keeps what was published before.
    """
    row = session.one(
        BEAT, incarnation=incarnation, busy=busy, activity=activity, functions=functions
    )
    if row is None or row[0] is not None:
        return None
    return Heartbeat(
        int(row[1]), tuple(_observed_executor(*other) for other in json.loads(row[2] or "[]"))
    )


def declare_dead(session: Session, incarnation: str, *, beat: int, by: str) -> bool:
    """Write the tombstone, unless the incarnation beat since `beat` or ended otherwise."""
    return session.run(DECLARE_DEAD, incarnation=incarnation, beat=beat, by=by) == 1


def mark_dead(session: Session, process: ProcessIdentity, *, by: str) -> int:
    """Tombstone every incarnation of a process that its parent has reaped."""
    return session.run(MARK_DEAD, by=by, **_process_params(process))


def stop(session: Session, incarnation: str) -> None:
    """Record a clean end."""
    session.run(STOP, incarnation=incarnation)


def live_of(session: Session, process: ProcessIdentity) -> list[str]:
    """The live incarnations of a process."""
    return [row[0] for row in session.all(LIVE_OF_PROCESS, **_process_params(process))]


def stop_process(session: Session, process: ProcessIdentity) -> None:
    """Record a clean end of all incarnations of a process."""
    session.run(STOP_PROCESS, **_process_params(process))


def forget(session: Session, *, kept_ms: int) -> int:
    """Delete incarnations that ended that long ago and are named by no PENDING row."""
    return session.run(FORGET, kept_ms=kept_ms)


def _process_params(process: ProcessIdentity) -> dict[str, str | int]:
    return {
        "hostname": process.hostname,
        "pid": process.pid,
        "boot_id": process.boot_id,
        "pid_namespace": process.pid_namespace,
        "process_started": process.process_started,
    }


def _observed_executor(
    incarnation: str, beat: int, lease_ms: int, *process: str | int | None
) -> ObservedExecutor:
    hostname, pid, boot_id, pid_namespace, process_started = process
    return ObservedExecutor(
        incarnation,
        beat,
        lease_ms,
        ProcessIdentity(
            hostname=str(hostname or ""),
            pid=int(pid or 0),
            boot_id=str(boot_id or ""),
            pid_namespace=str(pid_namespace or ""),
            process_started=str(process_started or ""),
        ),
    )
