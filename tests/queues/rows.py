"""Rows for queue tests, written as a foreign program would write them."""

from __future__ import annotations

import itertools
from typing import Any

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.claim import Claimant, ClaimRequest
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement

APP = "shop"
VERSION = "v1"
CLAIMANT = Claimant(APP, VERSION, "local")

INSERT = Statement("""
    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, queue_name, priority, created_at, updated_at,
        application_name, application_version, queue_partition_key, recovery_attempts,
        workflow_timeout_ms, workflow_deadline_epoch_ms, deduplication_id, is_debounced,
        delay_until_epoch_ms, started_at_epoch_ms, inputs, owner_xid
    )
    VALUES (
        :workflow_uuid, :status, :name, :queue_name, :priority, :created_at, :updated_at,
        :application_name, :application_version, :queue_partition_key, :recovery_attempts,
        :workflow_timeout_ms, :workflow_deadline_epoch_ms, :deduplication_id, :is_debounced,
        :delay_until_epoch_ms, :started_at_epoch_ms, :inputs, :owner_xid
    )
""")
FINISH = Statement("""
    UPDATE {workflow_status} SET status = 'SUCCESS', owner_xid = NULL WHERE workflow_uuid = :id
""")
PAUSE = Statement("""
    INSERT INTO {dboshub_queue_pause} (queue_name, paused_at) VALUES (:name, 1)
""")
UNPAUSE = Statement("DELETE FROM {dboshub_queue_pause} WHERE queue_name = :name")
VERSION_ROW = Statement("""
    INSERT INTO {application_versions} (
        version_id, version_name, version_timestamp, application_name
    )
    VALUES (:name, :name, :at, :application)
""")

_names = itertools.count(1)


def refusing(status: str, text: str) -> Statement:
    """Make the database refuse, with this text, to give rows of the queue "bad" this status."""
    is_bad = f"NEW.queue_name = 'bad' AND NEW.status = '{status}'"
    return Statement(
        postgres=f"""
            CREATE FUNCTION {{schema}}.refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION '{text}'; END $$;
            CREATE TRIGGER refuse BEFORE UPDATE ON {{workflow_status}} FOR EACH ROW
            WHEN ({is_bad}) EXECUTE FUNCTION {{schema}}.refuse()
        """,
        sqlite=f"""
            CREATE TRIGGER refuse BEFORE UPDATE ON {{workflow_status}} WHEN {is_bad}
            BEGIN SELECT RAISE(ABORT, '{text}'); END
        """,
    )


def claim_request(given: list[str], queue: str = "q", **fields: Any) -> ClaimRequest:
    """A request of CLAIMANT for at most one workflow per token."""
    settings = QueueSettings(name=queue)
    return ClaimRequest(claimant=CLAIMANT, queue=settings, tokens=given, **fields)


def enqueue(database: Database, queue: str = "q", count: int = 1, **columns: Any) -> list[str]:
    """Insert workflows, by default enqueued one millisecond apart; their ids."""
    ids = []
    with database.writing() as session:
        for _ in range(count):
            number = next(_names)
            row = {
                "workflow_uuid": f"w{number:05}",
                "status": "ENQUEUED",
                "name": "work",
                "queue_name": queue,
                "priority": 0,
                "created_at": 1_000 + number,
                "updated_at": 1_000 + number,
                "application_name": APP,
                "application_version": VERSION,
                "queue_partition_key": None,
                "recovery_attempts": 0,
                "workflow_timeout_ms": None,
                "workflow_deadline_epoch_ms": None,
                "deduplication_id": None,
                "is_debounced": False,
                "delay_until_epoch_ms": None,
                "started_at_epoch_ms": None,
                "inputs": None,
                "owner_xid": None,
                **columns,
            }
            session.run(INSERT, **row)
            ids.append(row["workflow_uuid"])
    return ids


def columns_of(database: Database, workflow_id: str, *columns: str) -> tuple[Any, ...]:
    """Some columns of one workflow's row."""
    wanted = Statement(
        f"SELECT {', '.join(columns)} FROM {{workflow_status}} WHERE workflow_uuid = :id"
    )
    with database.reading() as session:
        row = session.one(wanted, id=workflow_id)
    assert row is not None
    return row


def tokens(count: int, prefix: str = "me") -> list[str]:
    """Fresh owner tokens, by default not those of a process that has to be registered."""
    return [f"{prefix}:{next(_names)}" for _ in range(count)]


def run(database: Database, statement: Statement, **params: Any) -> None:
    with database.writing() as session:
        session.run(statement, **params)
