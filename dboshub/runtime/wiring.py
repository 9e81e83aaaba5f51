"""Build the parts of an engine from a configuration."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.engine.undeclared import UndeclaredQueues
from dboshub.queues.storage.store import RegistryStore
from dboshub.workflows.datasources.application_database import (
    SeparateApplicationDatabase,
    SystemApplicationDatabase,
)
from dboshub.workflows.datasources.joined_transaction import open_transaction_on
from dboshub.workflows.engine.clock import Clock, DatabaseClock
from dboshub.workflows.engine.membership.incarnations import this_process
from dboshub.workflows.engine.ports import EngineHooks, Storage
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.runtime.engine import Engine, ExecutorSettings
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database import (
    Database,
    Sessions,
    is_url_of,
    open_database,
)
from dboshub.workflows.storage.database_clock import adjust
from dboshub.workflows.storage.database_urls import libpq_url
from dboshub.workflows.storage.journal.connections import (
    PostgresJournalConnection,
    SqliteJournalConnection,
)
from dboshub.workflows.storage.membership.executors import Executor
from dboshub.workflows.storage.postgres import PostgresDatabase
from dboshub.workflows.storage.schema.errors import HubTablesMissingError
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sqlite import SqliteDatabase
from dboshub.workflows.storage.store import SqlStore
from dboshub.workflows.storage.waiting.notifier import PostgresNotifier

ISOLATED_CONNECTIONS = 4


def notice_transport(config: dict[str, Any], database: Database) -> PostgresNotifier | None:
    """The transport of notices; None where processes learn of each other's writes by polling."""
    if not isinstance(database, PostgresDatabase) or not config["use_listen_notify"]:
        return None
    listen_url = config.get("listen_url")
    if listen_url is None and config["behind_pooler"]:
        return None
    return PostgresNotifier(database, libpq_url(listen_url) if listen_url else database.url)


def open_system_database(config: dict[str, Any]) -> Database:
    """Open the system database of a configuration; create or adopt its tables if it says so.

    Raises DatabaseUrlError or SchemaError for a database that cannot be used.
    """
    database = open_database(
        config["system_database_url"],
        schema=config["dbos_system_schema"],
        pool_size=config["sys_db_pool_size"],
        behind_pooler=config["behind_pooler"],
        idle_timeout=max(0, config["sys_db_idle_transaction_timeout_sec"]),
    )
    try:
        database.check_connection(create=config["run_migrations"])
        state = migrate(database, adopt=config["run_migrations"])
        if state.missing_hub_tables:
            raise HubTablesMissingError(state.place, state.missing_hub_tables)
    except BaseException:
        database.close()
        raise
    return database


def library_version() -> str:
    """The version of this package; ``development`` where it is not installed."""
    try:
        return version("dboshub")
    except PackageNotFoundError:
        return "development"


def settings_of(config: dict[str, Any], registry: Registry) -> ExecutorSettings:
    """The identity of this process; its version is computed from `registry` unless configured."""
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
    clock: Clock,
    storage: Storage,
    hooks: EngineHooks,
) -> Engine:
    """An engine with the configured serializer."""
    return Engine(
        settings,
        registry=registry,
        clock=clock,
        storage=storage,
        codec=Codec(config.get("serializer")),
        hooks=hooks,
    )


def new_executor(
    settings: ExecutorSettings, config: dict[str, Any], listen: Sequence[str] | None
) -> Executor:
    """What this process registers in the table of executors; it serves the queues `listen`."""
    return Executor(
        executor_id=settings.executor_id,
        application_name=settings.application_name,
        application_version=settings.application_version,
        process=this_process(),
        lease_ms=config["lease"].lease_ms,
        queues=None if listen is None else json.dumps([*listen]),
        slots=settings.slots,
    )


def _version(config: dict[str, Any], registry: Registry) -> str:
    if config.get("enable_patching"):
        return "PATCHING_ENABLED"
    return registry.version(config["name"], library_version())


def storage_of(
    database: Database, *, listing_timeout_s: float | None = None, retries_unavailable: bool = True
) -> Storage:
    """The engine's storage on a database.

    A listing is cancelled after `listing_timeout_s` seconds; None and 0 set no limit. Without
    `retries_unavailable` the first StorageUnavailableError of a call propagates.
    """
    store = SqlStore(
        sessions_of(database),
        listing_timeout_s=listing_timeout_s,
        retries_unavailable=retries_unavailable,
    )
    if isinstance(database, SqliteDatabase):
        # SQLite has one writer: a second connection would only wait for the first.
        return Storage(store, lambda: SqliteJournalConnection(database), isolated_connections=0)
    assert isinstance(database, PostgresDatabase)
    return Storage(
        store,
        lambda: PostgresJournalConnection(database),
        isolated_connections=ISOLATED_CONNECTIONS,
    )


def sessions_of(database: Database) -> Sessions:
    """The store's sessions; in a Django project they join a transaction that a thread has open."""
    alias = _django_alias(database)
    if alias is None:
        return database
    from dboshub.workflows.django_database import JoiningSessions

    return JoiningSessions(database, alias)


def _django_alias(database: Database) -> str | None:
    if "django.conf" not in sys.modules:
        return None
    from dboshub.workflows.django_transaction import alias_of

    return alias_of(database)


def engine_hooks(database: Database) -> EngineHooks:
    """Engine hooks of a configured Django project; none for a script without Django."""
    if "django.conf" not in sys.modules:
        return EngineHooks()
    from django.conf import settings

    from dboshub.workflows.django_step_connections import (
        async_step_connections,
        close_stale_connections,
    )
    from dboshub.workflows.django_transaction import (
        DjangoTransactor,
        after_commit,
        alias_of,
        django_transaction_on,
    )

    if not settings.configured:
        return EngineHooks()
    connection_hooks = EngineHooks(
        after_user_code=close_stale_connections,
        around_async_step=async_step_connections.close_stale,
    )
    alias = alias_of(database)
    if alias is None:
        return connection_hooks
    return replace(
        connection_hooks,
        after_commit=after_commit(alias),
        ambient=django_transaction_on(alias),
        application=DjangoTransactor(alias),
    )


def _with_datasources(hooks: EngineHooks, database: Database) -> EngineHooks:
    """Join the transactions of datasources on the system database's file: it has one writer."""
    if not isinstance(database, SqliteDatabase):
        return hooks
    joined = partial(open_transaction_on, database.path)
    return replace(hooks, ambient=lambda: joined() or hooks.ambient(), ambient_async=joined)


def executor_hooks(config: dict[str, Any], database: Database) -> EngineHooks:
    """Engine hooks of a process that executes: with a database for ``@DBOS.transaction``."""
    hooks = _with_datasources(engine_hooks(database), database)
    if hooks.around_async_step is not None:
        from dboshub.workflows.django_step_connections import use_worker_pools

        use_worker_pools()
    url = config["application_database_url"]
    if url is None and hooks.application is not None:
        return hooks
    if url is not None and not is_url_of(url, database):
        return replace(hooks, application=SeparateApplicationDatabase(url))
    application = SystemApplicationDatabase(
        config["system_database_url"], database.dialect, behind_pooler=config["behind_pooler"]
    )
    return replace(
        hooks, application=application, ambient=lambda: application.ambient() or hooks.ambient()
    )


def register_version(database: Database, clock: DatabaseClock, settings: ExecutorSettings) -> None:
    """Register the application version, by the database's clock: the first beat comes later."""
    application, version = settings.application_name, settings.application_version
    with database.writing() as session:
        adjust(clock, session)
        versions.register(session, version, application=application, now=clock.now_ms())


def open_queues(queues: RegistryStore, engine: Engine, listen: Sequence[str] | None) -> None:
    """Make rows of the queues that code declared; warn of those that nobody did."""
    queue_registry.open(queues)
    undeclared = UndeclaredQueues(queues, engine.queries.submit)
    undeclared.served(listen or ())
    engine.on_queue_used = undeclared.used
