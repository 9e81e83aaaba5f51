"""Engines on one database that die, and those that go on where they died."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

from dboshub.config import checked
from dboshub.runtime.lifecycle import Runtime
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.journal.pending_write import JournalClosedError
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.storage.database import open_database
from dboshub.workflows.storage.sql import Session, Statement
from tests.crash.crash_points import Death, Died
from tests.support.eventually import eventually

MARK_DEAD = Statement(
    "UPDATE {dboshub_executor} SET declared_dead_at = 1 WHERE declared_dead_at IS NULL"
)
T = TypeVar("T")


class Mortals:
    """Engines on one database, the first of which dies."""

    def __init__(self, url: str, **config: Any) -> None:
        given: Any = {"name": "crash-app", "system_database_url": url, **config}
        self.config = checked(given)

    def run(self, death: Death, begin: Callable[[], Any]) -> bool:
        """Begin a workflow in an engine that dies; say whether its handle was given out."""
        runtime = Runtime(self.config, registry, None, wrap_storage=death.around)
        acknowledged = False
        try:
            runtime.start()
            handle = begin()
            acknowledged = True
            waiting = threading.Thread(target=_quietly, args=(handle,), daemon=True)
            waiting.start()
            eventually(lambda: death.struck.is_set() or not waiting.is_alive(), timeout=20)
        except (Died, JournalClosedError):
            pass
        finally:
            self._vanish(runtime)
        return acknowledged

    def recover(self, read: Callable[[], T]) -> T:
        """A new engine takes over; what it tells when it is asked."""
        runtime = Runtime(self.config, registry, None)
        runtime.start()
        try:
            return read()
        finally:
            runtime.stop(completion_timeout=10, grace=2)

    def ask(self, statement: Statement, **params: Any) -> list[Any]:
        database = open_database(self.config["system_database_url"])
        try:
            with database.reading() as session:
                return session.all(statement, **params)
        finally:
            database.close()

    def _vanish(self, runtime: Runtime) -> None:
        """End the threads without a word to the database, and let others see it dead."""
        runtime.heartbeat.stop(clean=False)
        runtime.ticker.stop(2)
        runtime.dispatcher.stop(2)
        runtime.queues.close()
        runtime.maintenance.stop(2)
        runtime.suspending.stop(2)
        runtime.engine.drain()
        runtime.engine.close(timeout=2)
        runtime.wakeups.stop()
        current_engine.install(None)
        with runtime.database.writing() as session:
            mark_dead(session)
        runtime.database.close()


def mark_dead(session: Session) -> None:
    session.run(MARK_DEAD)


def _quietly(handle: Any) -> None:
    try:
        handle.get_result()
    except BaseException:
        pass
