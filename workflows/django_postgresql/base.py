"""The backend's entry point: only how a connection is taken from the pool differs."""

from __future__ import annotations

import logging
import time
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


class Driver:
    """psycopg, whose connections notice that an answer is lost."""

    connect = AnsweredConnection.connect

    def __getattr__(self, name: str) -> Any:
        return getattr(psycopg, name)


class DatabaseWrapper(PostgresWrapper):
    """A pool alone waits out its timeout for a server that refuses, and says nothing of why."""

    Database: Any = Driver()

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
                return super().get_new_connection(conn_params)
            except PoolTimeout:
                self._ask_server(conn_params)
                if time.monotonic() > deadline:
                    if not is_step:
                        raise
                    deadline += BUSY_TIMEOUT_S
                    logger.warning("a step waits for one of the %d connections", self.pool.max_size)

    def _ask_server(self, conn_params: dict[str, Any]) -> None:
        """Connect beside the pool, once. Raises psycopg.OperationalError."""
        timeout = conn_params.get("connect_timeout", REACH_TIMEOUT_S)
        self.Database.connect(**conn_params | {"connect_timeout": timeout}).close()
