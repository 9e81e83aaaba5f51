"""The backend's entry point: only how connections are taken from the pool and go back differs."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from contextlib import suppress
from typing import Any

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from psycopg_pool import PoolTimeout

from dboshub.workflows.engine.context import frame
from dboshub.workflows.storage.answers import KEEPALIVES, AnsweredConnection
from dboshub.workflows.storage.connection_errors import REACH_TIMEOUT_S

logger = logging.getLogger("dboshub")

# Seconds to wait for one of the pool's connections: before the server is asked, and in all.
POOL_TIMEOUT_S = 1.0
BUSY_TIMEOUT_S = 10.0


class Loans:
    """The connections of pools that one thread has.

    They go back when it ends. Django keeps them for the thread, and if nobody closes them, only
    lets go of them: then they are gone, but their pools count them for ever.
    """

    def __init__(self) -> None:
        self._lent: set[Loan] = set()
        weakref.finalize(self, _give_back, self._lent).atexit = False

    def add(self, connection: Any) -> Loan:
        loan = Loan(connection, self._lent)
        self._lent.add(loan)
        return loan


class Loan:
    """One connection that a thread has. It does not keep the thread's other loans alive."""

    def __init__(self, connection: Any, lent: set[Loan]) -> None:
        self.connection, self._lent = connection, lent

    def end(self) -> None:
        """Forget it: whoever closed the connection gives it back."""
        self._lent.discard(self)


def _give_back(lent: set[Loan]) -> None:
    for loan in lent:
        # Its pool may be closed.
        with suppress(Exception):
            loan.connection._pool.putconn(loan.connection)


class OfThread(threading.local):
    """What goes when its thread ends."""

    def __init__(self) -> None:
        self.loans = Loans()


OF_THREAD = OfThread()


class Driver:
    """psycopg, whose connections notice that an answer is lost."""

    connect = AnsweredConnection.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(PostgresWrapper):
    """A pool alone waits out its timeout for a server that refuses, and says nothing of why."""

    Database: Any = Driver()
    _loan: Loan | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params.pop("worker_pool", None)
        return {**KEEPALIVES, **params}

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection. Raises the server's own refusal, within 3 s of asking.

        A page gives up after BUSY_TIMEOUT_S. A step waits until another step has ended.
        """
        if not self.pool:
            return super().get_new_connection(conn_params)
        if self.pool.closed:
            self._ask_server(conn_params)
        deadline, is_step = time.monotonic() + BUSY_TIMEOUT_S, frame() is not None
        while True:
            try:
                connection = super().get_new_connection(conn_params)
                self._loan = OF_THREAD.loans.add(connection)
                return connection
            except PoolTimeout:
                self._ask_server(conn_params)
                if time.monotonic() > deadline:
                    if not is_step:
                        raise
                    deadline += BUSY_TIMEOUT_S
                    logger.warning("a step waits for one of the %d connections", self.pool.max_size)

    def _close(self) -> None:
        if self._loan:
            self._loan.end()
        super()._close()  # type: ignore[misc]

    def _ask_server(self, conn_params: dict[str, Any]) -> None:
        """Connect beside the pool, once. Raises psycopg.OperationalError."""
        timeout = conn_params.get("connect_timeout", REACH_TIMEOUT_S)
        self.Database.connect(**conn_params | {"connect_timeout": timeout}).close()
