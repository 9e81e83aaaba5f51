"""``DBOSClient``: the system database from outside, for programs that execute nothing."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from queues.client_api import QueuesClient
from schedules.client_api import SchedulesClient
from workflows.client_api import WorkflowsClient
from workflows.engine import checks
from workflows.engine.current import Outsider
from workflows.engine.errors import DBOSException
from workflows.engine.ports import Joined
from workflows.engine.serialization import Codec, Serializer
from workflows.storage.database import open_database

if TYPE_CHECKING:
    from dboshub.outside import Outside

DEFAULT_POOL = 5


class DBOSClient(WorkflowsClient, QueuesClient, SchedulesClient):
    """Enqueue, watch and steer the workflows of any application of a system database.

    Without an `application_name` it sees all of them, and what it enqueues is for whichever
    serves the queue. It never creates or changes tables. ``destroy()`` it when done.
    """

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Most methods come from the public class ``DBOS``, where no checker sees them."""

    def __init__(
        self,
        *,
        system_database_url: str | None = None,
        dbos_system_schema: str | None = "dbos",
        serializer: Serializer | None = None,
        system_database_pool_size: int | None = None,
        use_listen_notify: bool = False,
        application_name: str | None = None,
        lazy: bool = False,
    ) -> None:
        """Connect, unless `lazy`: then the first call does.

        Raises DatabaseUrlError and SchemaError for a database that cannot be used.
        """
        if not system_database_url:
            raise DBOSException("DBOSClient needs the URL of a database: system_database_url")
        if lazy and use_listen_notify:
            raise DBOSException("a lazy client has no listener: leave out one of the two")
        self.application_name = checks.optional_text("an application name", application_name)
        self._listens = use_listen_notify
        self._codec = Codec(serializer)
        self._database = open_database(
            system_database_url,
            schema=dbos_system_schema or "dbos",
            pool_size=system_database_pool_size or DEFAULT_POOL,
        )
        self._lock = threading.Lock()
        self._outside: Outside | None = None
        self._is_destroyed = False
        if not lazy:
            self._open()

    @property
    def outsider(self) -> Outsider:  # type: ignore[override]  # calls only read it
        """What calls are made with. Raises DBOSException after ``destroy()``."""
        return (self._outside or self._open()).outsider

    def joined(self, connection: Any) -> Joined:
        """The transaction that a caller's connection has open."""
        return (self._outside or self._open()).joined(connection)

    def check_connection(self) -> None:
        """Ask the database for a connection. Raises DatabaseUrlError if it cannot be reached."""
        self._database.reach(create=False)

    async def check_connection_async(self) -> None:
        """Do the same without blocking."""
        await asyncio.to_thread(self.check_connection)

    def destroy(self) -> None:
        """Close every connection and end every thread; those who wait get an error."""
        with self._lock:
            outside, self._outside = self._outside, None
            self._is_destroyed = True
        if outside is not None:
            outside.close()
        self._database.close()

    def _open(self) -> Outside:
        with self._lock:
            if self._is_destroyed:
                raise DBOSException("this DBOSClient was destroyed: make another one")
            if self._outside is None:
                from dboshub.outside import Outside

                self._outside = Outside(
                    self._database,
                    self._codec,
                    application=self.application_name,
                    listens=self._listens,
                )
            return self._outside
