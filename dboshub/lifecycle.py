"""What ``DBOS.launch()`` puts together, and ``DBOS.destroy()`` takes apart in the other order."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from queues.engine.directory import directory
from queues.engine.dispatcher import Dispatcher, DispatcherConfig
from queues.engine.maintenance import Maintenance
from queues.storage.store import QueueStore, RegistryStore
from workflows.engine import current
from workflows.engine.clock import DatabaseClock
from workflows.engine.engine import Engine, EngineSettings
from workflows.engine.heart import Heart
from workflows.engine.incarnations import ProcessIdentity, is_proven_dead, this_process
from workflows.engine.notices import EVENTS, MESSAGES, QUEUE, STATUS, STREAMS, Notice
from workflows.engine.ports import Storage
from workflows.engine.records import TEMP_WORKFLOW, ClaimedWorkflow
from workflows.engine.registry import Registry
from workflows.engine.running import run_claimed
from workflows.engine.serialization import Codec
from workflows.engine.wakeups import Wakeups
from workflows.storage import notify, recover, versions
from workflows.storage.database import Database, open_database
from workflows.storage.executors import Executor
from workflows.storage.journal.lane import PostgresLane, SqliteLane
from workflows.storage.membership import DatabaseMembership
from workflows.storage.postgres import PostgresDatabase, create_if_missing
from workflows.storage.schema.migrate import migrate
from workflows.storage.sqlite import SqliteDatabase
from workflows.storage.store import SqlStore

logger = logging.getLogger("dboshub")

CHANNELS = (MESSAGES, EVENTS, STREAMS, STATUS, QUEUE)
MOST_ACTIVITIES = 500
SIDE_LANES = 4


class Runtime:
    """One launched engine with all its threads."""

    def __init__(
        self,
        config: dict[str, Any],
        registry: Registry,
        listen: Sequence[str] | None,
        *,
        around: Callable[[Any], Any] = lambda port: port,
    ) -> None:
        """`around` wraps the ports to storage: tests make them fail."""
        self.config = config
        self.database = open_system_database(config)
        self.engine = _engine(config, registry, around(_storage(self.database)))
        store = around(
            QueueStore(
                self.database,
                application=self.engine.settings.application_name,
                version=self.engine.settings.application_version,
                executor_id=self.engine.settings.executor_id,
            )
        )
        self.dispatcher = Dispatcher(
            store,
            self,
            clock=self.engine.clock,
            draw=lambda count: [self.engine.new_token() for _ in range(count)],
            config=DispatcherConfig(listen=listen),
        )
        self.maintenance = Maintenance(
            store,
            clock=self.engine.clock,
            enqueued=self.dispatcher.wake,
            cancelled=lambda workflow_id: self.engine.notices.publish([(STATUS, workflow_id)]),
        )
        self.heart = Heart(
            DatabaseMembership(self.database, self._executor(listen)),
            self,
            lease=config["lease"],
            clock=_database_clock(self.engine),
            proven_dead=_proven_dead(this_process()),
            incarnation=self.engine.incarnation,
        )
        self.wakeups = Wakeups(
            self.engine,
            wake_queues=self.wake_queues,
            line=self._line(),
            change_counter=self.database.change_counter(),
            poll_interval=config["notification_listener_polling_interval_sec"],
        )
        self.engine.notices.on_enqueued = self._enqueued
        self.engine.slots.on_free = lambda holder: self.dispatcher.released(holder.queue_name)

    def start(self) -> None:
        """Register, recover, and begin to claim. Raises what the database raises."""
        settings = self.engine.settings
        with self.database.writing() as session:
            versions.register(
                session,
                settings.application_version,
                application=settings.application_name,
                now=self.engine.clock.now_ms(),
            )
        directory.open(
            RegistryStore(
                self.database,
                self.engine.clock,
                application=settings.application_name,
                version=settings.application_version,
            )
        )
        self.heart.start()
        current.install(self.engine)
        self.wakeups.start()
        self.dispatcher.start()
        self.maintenance.start()

    def stop(self, *, completion_timeout: float, grace: float) -> None:
        """Stop claiming, let steps end, hand back what is left, and close everything."""
        self.dispatcher.stop()
        self.maintenance.stop()
        self._await_idle(completion_timeout)
        self.engine.drain()
        self._await_idle(grace)
        left = [(each.workflow_id, each.owner) for each in self.engine.executions]
        self.engine.close(timeout=5)
        self.wakeups.stop()
        self._hand_back(left)
        try:
            self.heart.stop()
        except Exception as error:
            logger.warning("could not say goodbye, others will notice by the lease: %s", error)
        directory.close()
        current.install(None)
        self.database.close()

    # -- host of the dispatcher ------------------------------------------------------------

    def free_slots(self) -> int:
        return 0 if self.engine.is_draining else self.engine.slots.free

    def running_on(self, queue: str, partition: str | None = None) -> int:
        return self.engine.running_on(queue, partition)

    def run_claimed(self, workflow: ClaimedWorkflow) -> None:
        run_claimed(self.engine, workflow)

    # -- host of the heart -----------------------------------------------------------------

    def running_ids(self) -> set[str]:
        return {each.workflow_id for each in self.engine.executions}

    def activity(self) -> str:
        """What each workflow here waits for, for people who ask what is stuck."""
        entries = [
            {"workflow": each.workflow_id, "step": each.counter, "waiting": each.waiting_for}
            for each in self.engine.executions[:MOST_ACTIVITIES]
        ]
        return json.dumps(entries)

    def functions(self) -> str:
        names = self.engine.registry.workflows
        return json.dumps(sorted(name for name in names if not name.startswith(TEMP_WORKFLOW)))

    def on_tombstoned(self) -> None:
        for execution in self.engine.executions:
            execution.revoke(None)

    def on_reborn(self, incarnation: str) -> None:
        self.engine.incarnation = incarnation

    def wake_queues(self) -> None:
        self.dispatcher.wake()

    # -- parts -----------------------------------------------------------------------------

    def _enqueued(self, queue_name: str, is_local: bool) -> None:
        self.dispatcher.wake(queue_name or None, is_local=is_local)

    def _executor(self, listen: Sequence[str] | None) -> Executor:
        settings = self.engine.settings
        return Executor(
            executor_id=settings.executor_id,
            application_name=settings.application_name,
            application_version=settings.application_version,
            process=this_process(),
            lease_ms=self.config["lease"].lease_ms,
            queues=None if listen is None else json.dumps([*listen]),
            slots=settings.slots,
        )

    def _line(self) -> PostgresLine | None:
        if not isinstance(self.database, PostgresDatabase) or not self.config["use_listen_notify"]:
            return None
        return PostgresLine(self.database)

    def _await_idle(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.engine.executions and time.monotonic() < deadline:
            time.sleep(0.01)

    def _hand_back(self, owned: Iterable[tuple[str, str]]) -> None:
        """Let others go on at once with what this process did not finish."""
        try:
            with self.database.writing() as session:
                now = self.engine.clock.now_ms()
                recover.hand_back(session, owned, now=now)
                recover.release(session, self.heart.incarnation, now=now)
        except Exception as error:
            logger.warning("work was not handed back, others will take it over: %s", error)


class PostgresLine:
    """Notices travel by NOTIFY."""

    def __init__(self, database: PostgresDatabase) -> None:
        self._database = database

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
            self._database.url,
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
    )
    if isinstance(database, PostgresDatabase) and config["run_migrations"]:
        create_if_missing(database.url)
    migrate(database, adopt=config["run_migrations"])
    return database


def library_version() -> str:
    try:
        return version("dboshub")
    except PackageNotFoundError:
        return "development"


def _engine(config: dict[str, Any], registry: Registry, storage: Storage) -> Engine:
    name = config["name"]
    settings = EngineSettings(
        application_name=name,
        application_version=config["application_version"] or _version(config, registry),
        executor_id=config["executor_id"],
        slots=config["max_executor_threads"],
    )
    return Engine(
        settings,
        registry=registry,
        clock=DatabaseClock(),
        storage=storage,
        codec=Codec(config.get("serializer")),
        after_task=_close_old_connections,
    )


def _version(config: dict[str, Any], registry: Registry) -> str:
    if config.get("enable_patching"):
        return "PATCHING_ENABLED"
    return registry.version(config["name"], library_version())


def _storage(database: Database) -> Storage:
    store = SqlStore(database)
    if isinstance(database, SqliteDatabase):
        # One writer: a second lane would only wait for the first.
        return Storage(store, lambda: SqliteLane(database), side_lanes=0)
    assert isinstance(database, PostgresDatabase)
    return Storage(store, lambda: PostgresLane(database), side_lanes=SIDE_LANES)


def _close_old_connections() -> None:
    """Django's connections of an engine thread must not outlive what broke or aged them."""
    database = sys.modules.get("django.db")
    if database is not None:
        database.close_old_connections()


def _database_clock(engine: Engine) -> DatabaseClock:
    assert isinstance(engine.clock, DatabaseClock)
    return engine.clock


def _proven_dead(mine: ProcessIdentity) -> Callable[[ProcessIdentity], bool]:
    return lambda other: is_proven_dead(other, mine)
