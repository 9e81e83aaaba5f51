"""Runtime of a connected ``DBOSClient``: an engine that executes nothing."""

from __future__ import annotations

from typing import Any

from dboshub.queues.engine.undeclared import UndeclaredQueues
from dboshub.queues.storage.store import RegistryStore
from dboshub.runtime.client_options import ClientOptions
from dboshub.runtime.stop_budget import StopBudget
from dboshub.runtime.wiring import engine_hooks, storage_of
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.engine.schedule_registry import ScheduleServices
from dboshub.schedules.storage.store import ScheduleStore
from dboshub.workflows.api.client_transactions import JOINED
from dboshub.workflows.engine.clock import DatabaseClock
from dboshub.workflows.engine.current_engine import ClientContext
from dboshub.workflows.engine.ports import EngineHooks, JoinedTransaction
from dboshub.workflows.engine.registration.registry import Registry
from dboshub.workflows.engine.runtime.engine import Engine, EngineSettings
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.engine.waiting.listening import Listening
from dboshub.workflows.engine.waiting.wakeups import Wakeups
from dboshub.workflows.storage.caller_session import CallerTransaction
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.database_clock import adjust
from dboshub.workflows.storage.postgres import PostgresDatabase
from dboshub.workflows.storage.schema.state import inspect
from dboshub.workflows.storage.waiting.notifier import PostgresNotifier

CLOSE_S = 5.0


class ClientRuntime:
    """An engine that executes nothing; it never creates or changes tables."""

    def __init__(
        self, database: Database, codec: Codec, options: ClientOptions, *, application: str | None
    ) -> None:
        """Connect. Raises DatabaseUnreachableError, or SchemaError for tables it cannot use."""
        self._database = database
        database.check_connection(create=False)
        state = inspect(database)
        state.verify()
        self._has_hub_tables = not state.missing_hub_tables
        self._engine = self._new_engine(codec, options, application)
        self._wakeups = self._new_wakeups(options.listening)
        self._wakeups.start()
        self.client_context = ClientContext(self._engine, self._parts(application))

    def joined(self, connection: Any) -> JoinedTransaction:
        """The transaction that a caller's connection has open."""
        dialect = self._database.dialect
        return CallerTransaction(connection, vendor=dialect.vendor, schema=dialect.schema)

    def close(self) -> None:
        """Flush the journal and end every thread, all within CLOSE_S."""
        budget = StopBudget(CLOSE_S - 1)
        try:
            self._engine.close(budget.work_left())
        finally:
            self._wakeups.stop(budget.left())

    def _new_engine(self, codec: Codec, options: ClientOptions, application: str | None) -> Engine:
        hooks = engine_hooks(self._database)
        return Engine(
            EngineSettings(
                application_name=application, retries_unavailable=options.retries_unavailable
            ),
            registry=Registry(),
            clock=self._new_clock(),
            storage=storage_of(
                self._database,
                listing_timeout_s=options.listing_timeout_s,
                retries_unavailable=options.retries_unavailable,
            ),
            codec=codec,
            hooks=EngineHooks(
                after_user_code=hooks.after_user_code,
                ambient=lambda: JOINED.get() or hooks.ambient(),
            ),
        )

    def _new_clock(self) -> DatabaseClock:
        with self._database.reading() as session:
            return adjust(DatabaseClock(), session)

    def _new_wakeups(self, listening: Listening) -> Wakeups:
        database, transport = self._database, None
        if isinstance(database, PostgresDatabase):
            transport = PostgresNotifier(database, database.url)
        return Wakeups(
            self._engine,
            wake_queues=lambda: None,
            transport=transport,
            listening=listening,
            change_counter=database.change_counter(),
        )

    def _parts(self, application: str | None) -> dict[str, Any]:
        clock, codec = self._engine.clock, self._engine.codec
        schedules = ScheduleStore(self._database, application=application)
        runs = Runs(schedules, clock, codec, application=application)
        queues = RegistryStore(
            self._database, clock, application=application, has_hub_tables=self._has_hub_tables
        )
        self._engine.on_queue_used = UndeclaredQueues(queues, self._engine.queries.submit).used
        return {
            "queues": queues,
            "schedules": ScheduleServices(schedules, runs, lambda: None),
        }
