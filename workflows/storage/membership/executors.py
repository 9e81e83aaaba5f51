"""The table of executors: each process registers one incarnation and sends heartbeats.

An incarnation is live until it stops or is declared dead; both are final. All times in the table
are of the database's clock.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from dboshub.workflows.engine.membership.heartbeat import Heartbeat
from dboshub.workflows.engine.membership.incarnations import PROTOCOL, ProcessIdentity
from dboshub.workflows.engine.membership.leases import ObservedExecutor
from dboshub.workflows.storage.fragments import CLOCK_MS
from dboshub.workflows.storage.sql import Session, Statement

LIVE = "stopped_at IS NULL AND declared_dead_at IS NULL"
_LIVE_OF_PROCESS = f"""hostname = :hostname
        AND pid = :pid
        AND boot_id = :boot_id
        AND pid_namespace = :pid_namespace
        AND process_started = :process_started
        AND {LIVE}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What a process registers about itself."""

    executor_id: str
    application_name: str | None
    application_version: str | None
    process: ProcessIdentity
    lease_ms: int
    queues: str | None = None  # JSON list of the queues it serves; NULL: all queues
    slots: int | None = None


REGISTER = Statement(
    f"""
    INSERT INTO {{dboshub_executor}} (
        incarnation, executor_id, application_name, application_version, hostname, pid,
        boot_id, pid_namespace, process_started, protocol, lease_ms, queues, slots, functions,
        registered_at, last_beat_at
    )
    VALUES (
        :incarnation, :executor_id, :application_name, :application_version, :hostname, :pid,
        :boot_id, :pid_namespace, :process_started, :protocol, :lease_ms, :queues, :slots,
        :functions, {CLOCK_MS}, {CLOCK_MS}
    )
    """
)

# One round trip records the heartbeat, reads the clock and reads all other live incarnations.
# RETURNING reads the row after the update, the subquery reads the table before it. (IS NULL in
# RETURNING is wrong in SQLite 3.40, so the value itself is returned.) The casts are for SQLite: its
# JSON has no bytes, and one row of another program would end all heartbeats.
BEAT = Statement(
    f"""
    UPDATE {{dboshub_executor}}
    SET beat = CASE WHEN {LIVE} THEN beat + 1 ELSE beat END,
        last_beat_at = CASE WHEN {LIVE} THEN {CLOCK_MS} ELSE last_beat_at END,
        busy = :busy,
        activity = COALESCE(:activity, activity),
        functions = COALESCE(:functions, functions)
    WHERE incarnation = :incarnation
    RETURNING COALESCE(stopped_at, declared_dead_at), {CLOCK_MS}, (
        SELECT CAST(json_agg(json_build_array(
            CAST(other.incarnation AS text), CAST(other.beat AS bigint),
            CAST(other.lease_ms AS bigint), CAST(other.hostname AS text),
            CAST(other.pid AS bigint), CAST(other.boot_id AS text),
            CAST(other.pid_namespace AS text), CAST(other.process_started AS text)
        )) AS text)
        FROM {{dboshub_executor}} AS other
        WHERE {LIVE} AND other.incarnation <> :incarnation
    )
    """
)

# If a heartbeat of the incarnation is in progress, this waits for it and then finds another `beat`:
# a process whose heartbeat is committed stays alive.
DECLARE_DEAD = Statement(
    f"""
    UPDATE {{dboshub_executor}}
    SET declared_dead_at = {CLOCK_MS}, declared_dead_by = :by
    WHERE incarnation = :incarnation
        AND beat = :beat
        AND {LIVE}
    """
)

MARK_DEAD = Statement(
    f"""
    UPDATE {{dboshub_executor}}
    SET declared_dead_at = {CLOCK_MS}, declared_dead_by = :by
    WHERE {_LIVE_OF_PROCESS}
    """
)
STOP = Statement(
    f"""
    UPDATE {{dboshub_executor}}
    SET stopped_at = {CLOCK_MS}, busy = 0, activity = NULL
    WHERE incarnation = :incarnation AND {LIVE}
    """
)
STOP_PROCESS = Statement(
    f"""
    UPDATE {{dboshub_executor}}
    SET stopped_at = {CLOCK_MS}, busy = 0, activity = NULL
    WHERE {_LIVE_OF_PROCESS}
    """
)
LIVE_OF_PROCESS = Statement(
    f"SELECT incarnation FROM {{dboshub_executor}} WHERE {_LIVE_OF_PROCESS}"
)

DELETE_ENDED = Statement(
    f"""
    DELETE FROM {{dboshub_executor}}
    WHERE COALESCE(stopped_at, declared_dead_at) < {CLOCK_MS} - :retention_ms
        AND incarnation NOT IN (
            SELECT substr(owner_xid, 5, 32)
            FROM {{workflow_status}}
            WHERE status = 'PENDING' AND owner_xid LIKE 'hub:%'
        )
    """
)


def register(
    session: Session, incarnation: str, executor: Executor, *, functions: str | None = None
) -> None:
    """Insert a live incarnation. From its commit on, no process re-enqueues its workflows."""
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
    """Record a heartbeat and return what it read; None if the incarnation is no longer live.

    `activity` and `functions` are JSON texts; None keeps the recorded value.
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
    """Declare an incarnation dead; False if it sent a heartbeat after `beat`, or has ended."""
    return session.run(DECLARE_DEAD, incarnation=incarnation, beat=beat, by=by) == 1


def mark_dead(session: Session, process: ProcessIdentity, *, by: str) -> int:
    """Declare every incarnation of an ended process dead; return how many there were."""
    return session.run(MARK_DEAD, by=by, **_process_params(process))


def stop(session: Session, incarnation: str) -> None:
    """Record that an incarnation stopped."""
    session.run(STOP, incarnation=incarnation)


def live_of(session: Session, process: ProcessIdentity) -> list[str]:
    """The live incarnations of a process."""
    return [row[0] for row in session.all(LIVE_OF_PROCESS, **_process_params(process))]


def stop_process(session: Session, process: ProcessIdentity) -> None:
    """Record that all incarnations of a process stopped."""
    session.run(STOP_PROCESS, **_process_params(process))


def delete_ended(session: Session, *, retention_ms: int) -> int:
    """Delete incarnations that ended longer ago than `retention_ms` and own no PENDING row."""
    return session.run(DELETE_ENDED, retention_ms=retention_ms)


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
