"""How a pool of connections comes back after an outage of its server."""

from __future__ import annotations

from typing import Any

from psycopg_pool import ConnectionPool

RECONNECT_S = 1.0


def try_again(pool: ConnectionPool[Any]) -> None:
    """Begin anew at once if somebody waits for a connection."""
    if pool.get_stats().get("requests_waiting"):
        pool.check()


# psycopg doubles the pause between two attempts, up to minutes: the server would be back long
# before the pool. So an attempt is given up after a second, and the next one begins.
STEADY: dict[str, Any] = {"reconnect_timeout": RECONNECT_S, "reconnect_failed": try_again}
