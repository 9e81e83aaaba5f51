"""The table of queues: register, read, change and delete queues.

All applications of a database share the names of queues.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from dboshub.queues.engine.ports import OnConflict
from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.rows import QUEUE_COLUMNS, queue_settings
from dboshub.workflows.storage import fragments
from dboshub.workflows.storage.fragments import OWN_ROWS
from dboshub.workflows.storage.ownership import owned_by_another
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
    WHERE name = :name AND {OWN_ROWS}
""")
# A person's change leaves the owner of the queue as it is.
UPDATE = Statement(f"UPDATE {{queues}} SET {_VALUES} WHERE name = :name")
OWNER = Statement("SELECT application_name FROM {queues} WHERE name = :name")
RETRIEVE = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} WHERE name = :name")
LIST_OWN = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} WHERE {OWN_ROWS} ORDER BY name")
LIST_ALL = Statement(f"SELECT {QUEUE_COLUMNS} FROM {{queues}} ORDER BY name")
LIST_OF = Statement(f"""
    SELECT {QUEUE_COLUMNS}
    FROM {{queues}}
    WHERE application_name = ANY(:applications) OR application_name IS NULL
    ORDER BY name
""")
DELETE = Statement("DELETE FROM {queues} WHERE name = :name")
DELETE_PAUSE = Statement("DELETE FROM {dboshub_queue_pause} WHERE queue_name = :name")
DELETE_DECLARATION = Statement("DELETE FROM {dboshub_queue_declaration} WHERE queue_name = :name")

LATEST_VERSION = Statement(fragments.LATEST_VERSION)

DECLARED = Statement("""
    SELECT digest FROM {dboshub_queue_declaration} WHERE queue_name = :name
""")
RECORD_DECLARATION = Statement("""
    INSERT INTO {dboshub_queue_declaration} (queue_name, digest, declared_at)
    VALUES (:name, :digest, :now)
    ON CONFLICT (queue_name) DO UPDATE SET digest = :digest, declared_at = :now
""")


@dataclass(frozen=True, slots=True)
class Registrar:
    """The application and version that register queues; without them, any application's."""

    application: str | None
    version: str | None

    def is_latest(self, session: Session) -> bool:
        """Whether the version is the latest one, or none is registered."""
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
    """Insert the queue, or update an existing row as `on_conflict` says.

    Raises DBOSException if another application owns the name.
    """
    if insert(session, settings, application=registrar.application, now=now):
        return
    _refuse_foreign(session, registrar, settings.name)
    if on_conflict == "always_update" or (
        on_conflict == "update_if_latest_version" and registrar.is_latest(session)
    ):
        _overwrite(session, registrar, settings, now)


def declare(session: Session, registrar: Registrar, settings: QueueSettings, *, now: int) -> None:
    """Register a queue that code declares, and keep a person's later change of it.

    An existing row is overwritten only if the declaration has changed since it was recorded, and
    only by the latest version of the application.
    """
    digest = _digest(settings)
    if not insert(session, settings, application=registrar.application, now=now):
        _refuse_foreign(session, registrar, settings.name)
        known = session.one(DECLARED, name=settings.name)
        if known == (digest,) or not registrar.is_latest(session):
            return
        _overwrite(session, registrar, settings, now)
    session.run(RECORD_DECLARATION, name=settings.name, digest=digest, now=now)


def insert(session: Session, settings: QueueSettings, *, application: str | None, now: int) -> bool:
    """Insert the queue with its owner; return False if the name exists."""
    return session.run(INSERT, application=application, now=now, **settings.columns()) == 1


def retrieve(session: Session, name: str) -> QueueSettings | None:
    """The settings of a queue, or None."""
    row = session.one(RETRIEVE, name=name)
    return None if row is None else queue_settings(row)


def list_queues(
    session: Session, *, application: str | None, applications: Sequence[str] | None = None
) -> list[QueueSettings]:
    """The queues of `applications` or, if None, own queues; and those without an owner, by name.

    With neither `applications` nor `application` all queues are listed.
    """
    if applications is not None:
        rows = session.all(LIST_OF, applications=session.ids(applications))
    elif application is not None:
        rows = session.all(LIST_OWN, application=application)
    else:
        rows = session.all(LIST_ALL)
    return [queue_settings(row) for row in rows]


def update(session: Session, settings: QueueSettings, *, now: int) -> bool:
    """Change the settings of a queue; return False if it does not exist."""
    return session.run(UPDATE, now=now, **settings.columns()) == 1


def delete(session: Session, name: str, *, has_hub_tables: bool = True) -> bool:
    """Delete the queue. Its enqueued workflows wait until it is registered again."""
    if has_hub_tables:
        session.run(DELETE_PAUSE, name=name)
        session.run(DELETE_DECLARATION, name=name)
    return session.run(DELETE, name=name) == 1


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
        raise owned_by_another("Queue", name, row[0], registrar.application)


def _digest(settings: QueueSettings) -> str:
    text = json.dumps(settings.columns(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
