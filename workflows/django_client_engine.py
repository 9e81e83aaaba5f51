"""The engine of a Django process that executes no workflows; it uses Django's connections alone.

A write joins the transaction that is open on the system database, or has one of its own. Others
are told once it commits. Only while somebody waits there are threads: one polls for all, and where
the server can notify, another one listens on a connection of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial

from asgiref.sync import sync_to_async

from dboshub.workflows.django_database import DjangoDatabase
from dboshub.workflows.django_database_url import is_in_memory
from dboshub.workflows.django_listening import can_listen, listen_on
from dboshub.workflows.django_transaction import after_commit
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.writes import Answer, Write
from dboshub.workflows.engine.ports import EngineHooks, Storage
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.engine.runtime.effects import Wait
from dboshub.workflows.engine.runtime.engine import Engine, EngineSettings
from dboshub.workflows.engine.runtime.threads import Refused, Threads
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.engine.waiting.notices import Notice, Notices
from dboshub.workflows.engine.waiting.wait_listener import WaitListener
from dboshub.workflows.engine.waiting.wait_poller import WaitPoller
from dboshub.workflows.engine.waiting.waits import Waiter, Waits
from dboshub.workflows.storage.journal.messages import largest_value
from dboshub.workflows.storage.journal.single import apply_single
from dboshub.workflows.storage.store import SqlStore
from dboshub.workflows.storage.waiting.notify import notify

logger = logging.getLogger("dboshub")

LISTING_TIMEOUT_S = 30.0


class DjangoClientEngine(Engine):
    """Starts, lists, awaits and changes workflows that other processes execute."""

    def __init__(self, database: DjangoDatabase, application: str, codec: Codec) -> None:
        """Nothing is asked of the database before the first call."""
        writes = DjangoWrites(database, self._publish)
        super().__init__(
            EngineSettings(application_name=application, retries_unavailable=False),
            registry=registry,
            clock=database.clock,
            storage=Storage(
                SqlStore(database, listing_timeout_s=LISTING_TIMEOUT_S, retries_unavailable=False),
                lambda: DjangoJournalConnection(database),
                isolated_connections=0,
            ),
            codec=codec,
            hooks=EngineHooks(
                after_commit=after_commit(database.alias),
                ambient=lambda: writes,
                ambient_async=lambda: writes,
            ),
        )
        self._database = database
        self.notices = DjangoNotices(self.waits, database)
        self.queries = DjangoThreads("dboshub-query", 1)
        listen = partial(listen_on, database.alias)
        self._listener = WaitListener(self.waits, listen, self.notices.receive)
        self._poller = WaitPoller(
            self.store,
            self.waits,
            after_poll=self._release,
            is_told=self._listener.is_connected,
        )
        self._poller.start_on_demand()

    def pause(self, waiter: Waiter, until_ms: int | None) -> Wait:
        """Wait outside any transaction. Raises DBOSException where no commit could end the wait."""
        if self._would_wait_in_vain(is_bounded=until_ms is not None):
            raise DBOSException(
                "this would wait within an open transaction on the system database: what it "
                "enqueued starts after it commits, and SQLite shows it no later commit. Leave "
                "transaction.atomic() first; for a view under ATOMIC_REQUESTS, mark it with "
                "@transaction.non_atomic_requests"
            )
        if can_listen(self._database.alias):
            self._listener.waited_for()
        return super().pause(waiter, until_ms)

    def close(self, timeout: float) -> None:
        """End every thread within `timeout` seconds; those who wait get DBOSException."""
        self._listener.stop(timeout / 3)
        self._poller.stop(timeout / 3)
        super().close(timeout / 3)

    def _publish(self, writes: Sequence[Write]) -> None:
        self.notices.publish_writes(writes)

    def _would_wait_in_vain(self, *, is_bounded: bool) -> bool:
        database = self._database
        if asyncio._get_running_loop() is not None or not database.is_in_transaction:
            return False
        locks_others_out = database.vendor == "sqlite" and not is_in_memory(database.connection)
        return locks_others_out or not is_bounded

    def _release(self, is_last: bool) -> None:
        """Give the poller's connection back to a pool after each poll, else after the last."""
        connection = self._database.connection
        if is_last or connection.settings_dict["OPTIONS"].get("pool"):
            connection.close()


class DjangoWrites:
    """Durable writes in the transaction that is open, or each in one of its own."""

    def __init__(
        self, database: DjangoDatabase, publish: Callable[[Sequence[Write]], None]
    ) -> None:
        self._database = database
        self._publish = publish

    def apply(self, write: Write, *, now: int) -> Answer:
        with self._database.writing() as session:
            answer = apply_single(session, write, now=now)
        self._publish([write])
        return answer

    async def apply_async(self, write: Write, *, now: int) -> Answer:
        """On the thread that Django's ORM uses for this coroutine."""
        answer: Answer = await sync_to_async(self.apply)(write, now=now)
        return answer

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Nothing: whoever is to be told was noted when the write was applied, on its thread."""


class DjangoJournalConnection:
    """The journal's own way, for groups of writes that no caller's transaction takes in."""

    def __init__(self, database: DjangoDatabase) -> None:
        self._database = database

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        with self._database.writing() as session:
            return [apply_single(session, write, now=now) for write in writes]

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        return self.apply([write], now=now)[0]

    def largest(self, writes: Sequence[Write]) -> int:
        with self._database.reading() as session:
            return largest_value(session, writes)

    def close(self) -> None:
        """Django closes its connections."""


class DjangoNotices(Notices):
    """Tells other processes itself, in a statement of its own: no thread sends notices here."""

    def __init__(self, waits: Waits, database: DjangoDatabase) -> None:
        super().__init__(waits)
        self.after_commit = after_commit(database.alias)
        self._database = database

    def _publish(self, notices: list[Notice]) -> None:
        super()._publish(notices)
        # On SQLite other processes see the commit itself.
        if self._database.vendor == "postgresql":
            try:
                with self._database.reading() as session:
                    notify(session, notices)
            except Exception as error:
                logger.info("notices were not sent, others will poll: %s", error)


class DjangoThreads(Threads):
    """Queries of coroutines, on the thread that Django's ORM uses for each of them."""

    def __init__(self, name: str, most: int) -> None:
        super().__init__(name, most)
        # The loop itself remembers its tasks weakly.
        self._running: set[asyncio.Task[None]] = set()

    def submit(self, task: Callable[[], None], refused: Refused | None = None) -> None:
        running = asyncio.create_task(_in_django_thread(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)


async def _in_django_thread(task: Callable[[], None]) -> None:
    await sync_to_async(task)()
