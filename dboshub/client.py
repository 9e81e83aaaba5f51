"""``DBOSClient``: access to a system database for programs that execute no workflows."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from dboshub.config import IDLE_TRANSACTION_S, QUERY_TIMEOUT_S, url_of
from dboshub.config_rules import refuse_bad_values
from dboshub.queues.api.client import QueuesClient
from dboshub.runtime.client_options import ClientOptions
from dboshub.schedules.api.client import SchedulesClient
from dboshub.workflows.api.client import WorkflowsClient
from dboshub.workflows.engine import validation
from dboshub.workflows.engine.current_engine import ClientContext
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from dboshub.workflows.engine.ports import JoinedTransaction
from dboshub.workflows.engine.serialization import Codec, Serializer
from dboshub.workflows.engine.waiting.listening import Listening
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.database import open_database

if TYPE_CHECKING:
    from dboshub.runtime.client_runtime import ClientRuntime

DEFAULT_POOL = 5


class DBOSClient(WorkflowsClient, QueuesClient, SchedulesClient):
    """Enqueue, observe and manage the workflows of any application of a system database.

    Without an `application_name` it lists workflows of all applications, and any application that
    serves the queue runs what it enqueues. It never creates or changes tables. Call ``destroy()``
    at the end.

    Give a URL, or a SQLAlchemy engine, whose URL is used. Without `retry_connection_errors` a call
    raises the first connection error. A listing is cancelled after
    `observability_query_timeout_sec` (default 30; 0 sets no limit). Set `behind_pooler` if the URL
    leads to a pooler in transaction mode. On PostgreSQL the client listens for changes on one more
    connection while a call waits; with `use_listen_notify=True` from the beginning, with False it
    polls. `system_database_polling_concurrency` has no effect: one poll serves all waiters.
    """

    _client_runtime: ClientRuntime | None = None
    _is_destroyed = False

    def __init__(
        self,
        *,
        system_database_url: str | None = None,
        system_database_engine: Any = None,
        dbos_system_schema: str | None = "dbos",
        serializer: Serializer | None = None,
        system_database_pool_size: int | None = None,
        system_database_polling_concurrency: int | None = None,
        use_listen_notify: bool | None = None,
        application_name: str | None = None,
        lazy: bool = False,
        retry_connection_errors: bool = True,
        observability_query_timeout_sec: float | None = None,
        sys_db_idle_transaction_timeout_sec: float | None = None,
        sharding: bool = False,
        behind_pooler: bool = False,
    ) -> None:
        """Connect; with `lazy` the first call connects.

        Raises DatabaseUrlError and SchemaError for a database that cannot be used.
        """
        if use_listen_notify and (lazy or behind_pooler):
            raise DBOSException("no listener when lazy or behind a pooler: leave one of them out")
        _refuse(
            sys_db_pool_size=system_database_pool_size,
            sys_db_polling_concurrency=system_database_polling_concurrency,
            observability_query_timeout_sec=observability_query_timeout_sec,
            sys_db_idle_transaction_timeout_sec=sys_db_idle_transaction_timeout_sec,
            sharding=sharding,
        )
        self.application_name = validation.optional_text("an application name", application_name)
        self._codec = Codec(serializer)
        self._client_options = ClientOptions(
            listening=_listening(use_listen_notify, behind_pooler),
            listing_timeout_s=_or_default(observability_query_timeout_sec, QUERY_TIMEOUT_S),
            retries_unavailable=retry_connection_errors,
        )
        self._database = open_database(
            _url(system_database_url, system_database_engine),
            schema=dbos_system_schema or "dbos",
            pool_size=system_database_pool_size or DEFAULT_POOL,
            behind_pooler=behind_pooler,
            idle_timeout=_or_default(sys_db_idle_transaction_timeout_sec, IDLE_TRANSACTION_S),
            retries_unavailable=retry_connection_errors,
            access=Access.SHARED,
        )
        self._lock = threading.Lock()
        if not lazy:
            self._open_or_close()

    @property
    def _client_context(self) -> ClientContext:  # type: ignore[override]  # calls only read it
        """The engine of this client. Raises DBOSException after ``destroy()``."""
        return (self._client_runtime or self._open()).client_context

    def _joined(self, connection: Any) -> JoinedTransaction:
        """The transaction that a caller's connection has open."""
        return (self._client_runtime or self._open()).joined(connection)

    def check_connection(self) -> None:
        """Ask the database for a connection. Raises DatabaseUnreachableError if there is none."""
        self._database.check_connection(create=False)

    async def check_connection_async(self) -> None:
        """Open a connection without blocking; see ``check_connection``."""
        await asyncio.to_thread(self.check_connection)

    def destroy(self) -> None:
        """Close all connections and end all threads; calls that wait raise an error."""
        with self._lock:
            runtime, self._client_runtime = self._client_runtime, None
            self._is_destroyed = True
        try:
            if runtime is not None:
                runtime.close()
        finally:
            self._database.close()

    def _open_or_close(self) -> None:
        """Connect; after a refusal nothing of this client stays open."""
        try:
            self._open()
        except DBOSInitializationError as error:
            self.destroy()
            # The sentence says it all: of the traceback only the caller's line helps.
            raise error.with_traceback(None) from None

    def _open(self) -> ClientRuntime:
        with self._lock:
            if self._is_destroyed:
                raise DBOSException("this DBOSClient was destroyed: make another one")
            if self._client_runtime is None:
                from dboshub.runtime.client_runtime import ClientRuntime

                self._client_runtime = ClientRuntime(
                    self._database,
                    self._codec,
                    self._client_options,
                    application=self.application_name,
                )
            return self._client_runtime


def _listening(use_listen_notify: bool | None, behind_pooler: bool) -> Listening:
    """A pooler in transaction mode passes no notices on."""
    if use_listen_notify is None and not behind_pooler:
        return Listening.WHILE_WAITED
    return Listening.ALWAYS if use_listen_notify else Listening.NEVER


def _url(url: str | None, engine: Any) -> str:
    if not url and engine is None:
        raise DBOSException(
            "A DBOSClient requires a system_database_url or a system_database_engine."
        )
    return url or url_of(engine)


def _refuse(**given: Any) -> None:
    """Raise DBOSInitializationError for an invalid value."""
    refuse_bad_values({key: value for key, value in given.items() if value is not None})


def _or_default(value: float | None, default: float) -> float:
    return default if value is None else max(0.0, value)
