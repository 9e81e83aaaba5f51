"""Django's connections in steps: none outlives its step unchecked, and each step gets one."""

from __future__ import annotations

import logging
import threading
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections
from django.db.backends.signals import connection_created

from dboshub.workflows.engine.context import frame

logger = logging.getLogger("dboshub")


def close_stale_connections() -> None:
    """Close this thread's expired and broken connections after a step; log errors.

    One that is kept, because the project wants persistent ones, is checked before its next use.
    """
    try:
        for connection in connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()
            connection.health_check_enabled = True  # type: ignore[attr-defined]
    except Exception as error:
        logger.warning("could not close Django's connections after a step: %s", error)


class AsyncStepConnections:
    """Tidies the thread on which Django's ORM runs the queries of coroutines."""

    def __init__(self) -> None:
        self._threads: set[int] = set()
        connection_created.connect(self._opened)

    async def close_stale(self) -> None:
        """Close what async steps have opened. It costs a change of threads only if they have."""
        if self._threads:
            self._threads.clear()
            await sync_to_async(close_stale_connections)()

    def _opened(self, **_: Any) -> None:
        """Note the thread; a sync step tidies its own at its end."""
        if frame() is not None and not threading.current_thread().name.startswith("dboshub-"):
            self._threads.add(threading.get_ident())


def use_worker_pools() -> None:
    """Let pools hold as many connections as a process needs that runs steps beside pages.

    The size is `worker_pool` in the OPTIONS of a database with a pool.
    """
    for alias in connections:
        options = connections.settings[alias]["OPTIONS"]
        most, pool = options.get("worker_pool"), options.get("pool")
        if most and isinstance(pool, dict):
            pool["max_size"] = max(most, pool["max_size"])
            made: Any = connections[alias]
            made.pool.resize(pool["min_size"], pool["max_size"])


async_step_connections = AsyncStepConnections()
