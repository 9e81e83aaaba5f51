"""The table of queues: register, read, change and delete. Names are global to the database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.queues.engine.queue_registry import OnConflict
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.fragments import OURS
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.sql import Session, Statement

_VALUES = """
    concurrency = :concurrency,
    worker_concurrency = :worker_concurrency,
    rate_limit_max = :rate_limit_max,
    rate_limit_period_sec = :rate_limit_period_sec,
    priority_enabled = TRUE,
    partition_queue = :partition_queue,
    partition_concurrency = :partition_concurrency,
    partition_worker_concurrency = :partition_worker_concurrency,
    partition_rate_limit_max = :partition_rate_limit_max,
    partition_rate_limit_period_sec = :partition_rate_limit_period_sec,
    polling_interval_sec = :polling_interval_sec,
    updated_at = :now
"""

INSERT = Statement("""
    INSERT INTO {queues} (
        name, concurrency, worker_concurrency, rate_limit_max, rate_limit_period_sec,
        priority_enabled, partition_queue, partition_concurrency, partition_worker_concurrency,
        partition_rate_limit_max, partition_rate_limit_period_sec, polling_interval_sec,
        application_name, created_at, updated_at
    )
    VALUES (
        :name, :concurrency, :worker_concurrency, :rate_limit_max, :rate_limit_period_sec,
        TRUE, :partition_queue, :partition_concurrency, :partition_worker_concurrency,
        :partition_rate_limit_max, :partition_rate_limit_period_sec, :polling_interval_sec,
        :application, :now, :now
    )
    ON CONFLICT (name) DO NOTHING
""")
OVERWRITE = Statement(f"""
    UPDATE {{queues}}
    SET {_VALUES},
        application_name = COALESCE(application_name, :application)
    WHERE name = :name AND {OURS}
""")
# An operator's edit does not claim the queue.
UPDATE = Statement(f"UPDATE {{queues}} SET {_VALUES} WHERE name = :name")
OWNER = Statement("SELECT application_name FROM {queues} WHERE name = :name")
RETRIEVE = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} WHERE name = :name")
LIST_OURS = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} WHERE {OURS} ORDER BY name")
LIST_ALL = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} ORDER BY name")
LIST_OF = Statement(
    postgres=f"""
        SELECT {QUEUE_COLUMNS}
        FROM {{queues}}
        WHERE application_name = ANY(:applications)
        ORDER BY name
    """,
    sqlite=f"""
        SELECT {QUEUE_COLUMNS}
        FROM {{queues}}
        WHERE application_name IN (SELECT value FROM json_each(:applications))
        ORDER BY name
    """,
)
DELETE = Statement("DELETE FROM {queues} WHERE name = :name")
FORGET_PAUSE = Statement("DELETE FROM {dboshub_queue_pause} WHERE queue_name = :name")
FORGET_DECLARATION = Statement("DELETE FROM {dboshub_queue_declaration} WHERE queue_name = :name")

LATEST_VERSION = Statement(f"""
    SELECT version_name
    FROM {{application_versions}}
    WHERE {OURS}
    ORDER BY version_timestamp DESC
    LIMIT 1
""")

DECLARED = Statement("""
    SELECT digest FROM {dboshub_queue_declaration} WHERE queue_name = :name
""")
REMEMBER_DECLARATION = Statement("""
    INSERT INTO {dboshub_queue_declaration} (queue_name, digest, declared_at)
    VALUES (:name, :digest, :now)
    ON CONFLICT (queue_name) DO UPDATE SET digest = :digest, declared_at = :now
""")


@dataclass(frozen=True, slots=True)
class Registrar:
    """The application, and the version of it, in whose name queues are registered."""

    application: str | None
    version: str | None

    def is_latest(self, session: Session) -> bool:
        """Whether this process runs the latest version registered, or none is."""
        row = session.one(LATEST_VERSION, application=self.application)
        return row is None or bool(row[0] == self.version)


def register(
    session: Session,
    registrar: Registrar,
    settings: QueueSettings,
    *,
    on_conflict: OnConflict,
    now: int,
) -> None:
    """Insert the queue, or treat the row that is there as `on_conflict` says.

    Raises DBOSException if another application owns the name.
    """
    if _insert(session, registrar, settings, now):
        return
    _refuse_foreign(session, registrar, settings.name)
    if on_conflict == "always_update" or (
        on_conflict == "update_if_latest_version" and registrar.is_latest(session)
    ):
        _overwrite(session, registrar, settings, now)


def declare(session: Session, registrar: Registrar, settings: QueueSettings, *, now: int) -> None:
    """Register a queue constructed in code; an operator's later edit outlives restarts.

    The row is overwritten only when the declaration itself changed since it was last
    registered, and only by the latest version of the application.
    """
    digest = _digest(settings)
    if not _insert(session, registrar, settings, now):
        _refuse_foreign(session, registrar, settings.name)
        known = session.one(DECLARED, name=settings.name)
        if known == (digest,) or not registrar.is_latest(session):
            return
        _overwrite(session, registrar, settings, now)
    session.run(REMEMBER_DECLARATION, name=settings.name, digest=digest, now=now)


def retrieve(session: Session, name: str) -> QueueSettings | None:
    row = session.one(RETRIEVE, name=name)
    return None if row is None else queue_settings(row)


def list_queues(
    session: Session, *, application: str | None, applications: Sequence[str] | None = None
) -> list[QueueSettings]:
    """The queues of `applications`; without any given, one's own and those nobody owns, or all."""
    if applications is not None:
        rows = session.all(LIST_OF, applications=session.ids(applications))
    elif application is not None:
        rows = session.all(LIST_OURS, application=application)
    else:
        rows = session.all(LIST_ALL)
    return [queue_settings(row) for row in rows]


def update(session: Session, settings: QueueSettings, *, now: int) -> bool:
    """Change the settings of a queue that exists; False if it does not."""
    return session.run(UPDATE, now=now, **settings.columns()) == 1


def delete(session: Session, name: str, *, has_hub_tables: bool = True) -> bool:
    """Delete the queue. What is enqueued waits until it is registered again."""
    if has_hub_tables:
        session.run(FORGET_PAUSE, name=name)
        session.run(FORGET_DECLARATION, name=name)
    return session.run(DELETE, name=name) == 1


def _insert(session: Session, registrar: Registrar, settings: QueueSettings, now: int) -> bool:
    values = settings.columns()
    return session.run(INSERT, application=registrar.application, now=now, **values) == 1


def _overwrite(session: Session, registrar: Registrar, settings: QueueSettings, now: int) -> None:
    values = settings.columns()
    if registrar.application is None:
        session.run(UPDATE, now=now, **values)
    else:
        session.run(OVERWRITE, application=registrar.application, now=now, **values)


def _refuse_foreign(session: Session, registrar: Registrar, name: str) -> None:
    if registrar.application is None:
        return
    row = session.one(OWNER, name=name)
    if row is not None and row[0] not in (None, registrar.application):
        raise DBOSException(
            f"Queue {name} belongs to application {row[0]}: "
            "queue names are shared by all applications of a system database, so choose another"
        )


def _digest(settings: QueueSettings) -> str:
    text = json.dumps(settings.columns(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
