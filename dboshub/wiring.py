"""The parts of a launched engine, made from a configuration."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dboshub.workflows.datasources.application import Elsewhere, OnSystemDatabase
from dboshub.workflows.datasources.within import holder_of
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.engine import Engine, ExecutorSettings
from dboshub.workflows.engine.incarnations import ProcessIdentity, is_proven_dead
from dboshub.workflows.engine.notices import EVENTS, MESSAGES, QUEUE, STATUS, STREAMS, Notice
from dboshub.workflows.engine.ports import Storage, Surroundings
from dboshub.workflows.engine.registry import Registry
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.storage import notify
from dboshub.workflows.storage.database import Database, is_same, open_database
from dboshub.workflows.storage.journal.lane import PostgresLane, SqliteLane
from dboshub.workflows.storage.postgres import PostgresDatabase
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sqlite import SqliteDatabase
from dboshub.workflows.storage.store import SqlStore

CHANNELS = (MESSAGES, EVENTS, STREAMS, STATUS, QUEUE)
SIDE_LANES = 4


class PostgresLine:
    """Notices travel by NOTIFY."""

    def __init__(self, database: PostgresDatabase, listen_url: str) -> None:
        self._database = database
        self._listen_url = listen_url

    def send(self, notices: Sequence[Notice]) -> None:
        with self._database.reading() as session:
            notify.notify(session, notices)

    def hear(
        self,
        on_connected: Callable[[], None],
        on_notice: Callable[[str, str], None],
        is_over: Callable[[], bool],
    ) -> None:
        notify.listen(
            self._listen_url,
            CHANNELS,
            on_connected=on_connected,
            on_notice=on_notice,
            is_over=is_over,
        )


def open_system_database(config: dict[str, Any]) -> Database:
    """Open, and create or adopt, the system database of a configuration."""
    database = open_database(
        config["system_database_url"],
        schema=config["dbos_system_schema"],
        pool_size=config["sys_db_pool_size"],
        behind_pooler=config["behind_pooler"],
        idle_timeout=config["sys_db_idle_transaction_timeout_sec"],
    )
    try:
        database.reach(create=config["run_migrations"])
        migrate(database, adopt=config["run_migrations"])
    except BaseException:
        database.close()
        raise
    return database


def library_version() -> str:
    try:
        return version("dboshub")
    except PackageNotFoundError:
        return "development"


def settings_of(config: dict[str, Any], registry: Registry) -> ExecutorSettings:
    return ExecutorSettings(
        application_name=config["name"],
        application_version=config["application_version"] or _version(config, registry),
        executor_id=config["executor_id"],
        slots=config["max_executor_threads"],
    )


def new_engine(
    settings: ExecutorSettings,
    config: dict[str, Any],
    registry: Registry,
    storage: Storage,
    around: Surroundings,
) -> Engine:
    return Engine(
        settings,
        registry=registry,
        clock=DatabaseClock(),
        storage=storage,
        codec=Codec(config.get("serializer")),
        around=around,
    )


def _version(config: dict[str, Any], registry: Registry) -> str:
    if config.get("enable_patching"):
        return "PATCHING_ENABLED"
    return registry.version(config["name"], library_version())


def storage_of(
    database: Database, *, patience: float | None = None, persists: bool = True
) -> Storage:
    store = SqlStore(database, patience=patience, persists=persists)
    if isinstance(database, SqliteDatabase):
        # One writer: a second lane would only wait for the first.
        return Storage(store, lambda: SqliteLane(database), side_lanes=0)
    assert isinstance(database, PostgresDatabase)
    return Storage(store, lambda: PostgresLane(database), side_lanes=SIDE_LANES)


def surroundings_of(database: Database) -> Surroundings:
    """A Django project's wishes; a script that never imported Django has none."""
    if "django.conf" not in sys.modules:
        return Surroundings()
    from django.conf import settings

    from dboshub.workflows.ambient import DjangoTransactor, alias_of, ambient_on, tidy

    if not settings.configured:
        return Surroundings()
    alias = alias_of(database)
    if alias is None:
        return Surroundings(tidy=tidy)
    return Surroundings(
        tidy=tidy,
        ambient=ambient_on(alias),
        application=DjangoTransactor(alias),
    )


def _with_datasources(around: Surroundings, database: Database) -> Surroundings:
    """A datasource may be on the system database's file, which takes one writer."""
    if not isinstance(database, SqliteDatabase):
        return around
    here = partial(holder_of, database.path)
    return replace(around, ambient=lambda: here() or around.ambient(), ambient_async=here)


def executor_surroundings(config: dict[str, Any], database: Database) -> Surroundings:
    """The same for a process that executes, with a database for ``@DBOS.transaction``."""
    around = _with_datasources(surroundings_of(database), database)
    url = config["application_database_url"]
    if url is None and around.application is not None:
        return around
    if url is not None and not is_same(url, database):
        return replace(around, application=Elsewhere(url))
    place = OnSystemDatabase(
        config["system_database_url"], database.dialect, behind_pooler=config["behind_pooler"]
    )
    return replace(around, application=place, ambient=lambda: place.ambient() or around.ambient())


def database_clock(engine: Engine) -> DatabaseClock:
    assert isinstance(engine.clock, DatabaseClock)
    return engine.clock


def proven_dead(mine: ProcessIdentity) -> Callable[[ProcessIdentity], bool]:
    return lambda other: is_proven_dead(other, mine)
