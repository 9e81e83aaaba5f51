"""The backend's entry point: only how a connection is taken from the pool differs."""

from __future__ import annotations

import time
from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from psycopg_pool import PoolTimeout

from dboshub.workflows.storage.connection_errors import REACH_TIMEOUT_S

# Seconds to wait for one of the pool's connections: before the server is asked, and in all.
POOL_TIMEOUT_S = 1.0
BUSY_TIMEOUT_S = 10.0


class DatabaseWrapper(PostgresWrapper):
    """A pool alone waits out its timeout for a server that refuses, and says nothing of why."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection. Raises the server's own refusal, within 3 s of asking."""
        if not self.pool:
            return super().get_new_connection(conn_params)
        if self.pool.closed:
            self._ask_server(conn_params)
        deadline = time.monotonic() + BUSY_TIMEOUT_S
        while True:
            try:
                return super().get_new_connection(conn_params)
            except PoolTimeout:
                self._ask_server(conn_params)
                if time.monotonic() > deadline:
                    raise

    def _ask_server(self, conn_params: dict[str, Any]) -> None:
        """Connect beside the pool, once. Raises psycopg.OperationalError."""
        timeout = conn_params.get("connect_timeout", REACH_TIMEOUT_S)
        self.Database.connect(**conn_params | {"connect_timeout": timeout}).close()
