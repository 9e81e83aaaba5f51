"""Connections to PostgreSQL that do not wait for ever for an answer.

TCP notices a peer that vanished, but not a middlebox that acknowledges what it forgets. When the
server is silent, it is asked on another connection whether it still works on the statement: a long
statement is waited for, a lost answer is not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from psycopg.errors import _WaitTimeout
from psycopg.pq import TransactionStatus
from psycopg.pq.abc import PGconn

logger = logging.getLogger("dboshub")

# A server that vanished is noticed within a minute, not after two hours.
KEEPALIVES: dict[str, Any] = {
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 40_000,
}

# What takes longer is watched: a watch costs each statement more than a tenth of its time.
UNWATCHED_S = 1.0
INTERVAL_S = 0.1  # as psycopg's own
SILENCE_S = 10.0  # without a byte, until the server is asked
UNKNOWN_S = 120.0  # without a byte, if it cannot be asked or a pooler hides the session
INQUIRY_S = 3.0
WORKING = """
    SELECT state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite'
    FROM pg_stat_activity
    WHERE pid = %s
"""
T = TypeVar("T")
Waiting = Generator[Any, Any, T]


class AnsweredConnection(psycopg.Connection[Any]):
    """A connection whose every call raises OperationalError when its answer is lost.

    The connection is closed then, and the statement may have been executed.
    """

    def wait(
        self, gen: Waiting[T], interval: float = INTERVAL_S, timeout: float | None = None
    ) -> T:
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, UNWATCHED_S)
        except _WaitTimeout:
            return super().wait(self._watched(gen), interval)

    def _watched(self, gen: Waiting[T]) -> Waiting[T]:
        return _watched(gen, SILENCE_S, self._raise_if_lost)

    def _raise_if_lost(self, silent_s: float) -> None:
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return  # nothing was asked: it listens
        _finish_if_lost(self.pgconn, _inquiry_of(self.info)(), silent_s)


class AsyncAnsweredConnection(psycopg.AsyncConnection[Any]):
    """The same for a driver's async connection, which notices it after SILENCE_S once more.

    The server is asked on a thread, because that blocks.
    """

    _works: asyncio.Future[bool | None] | None = None

    async def wait(
        self, gen: Waiting[T], interval: float = INTERVAL_S, timeout: float | None = None
    ) -> T:
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, UNWATCHED_S)
        except _WaitTimeout:
            self._works = None
            return await super().wait(_watched(gen, SILENCE_S, self._raise_if_lost), interval)

    def _raise_if_lost(self, silent_s: float) -> None:
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        asked = self._works
        if asked is None or not asked.done():
            if asked is None:
                self._works = _on_thread(_inquiry_of(self.info))
            return
        self._works = None
        _finish_if_lost(self.pgconn, asked.result(), silent_s)


def _finish_if_lost(pgconn: PGconn, works: bool | None, silent_s: float) -> None:
    if works or (works is None and silent_s < UNKNOWN_S):
        return
    pgconn.finish()
    raise psycopg.OperationalError(f"the server's answer was lost: silence for {silent_s:.0f} s")


def _on_thread(ask: Callable[[], bool | None]) -> asyncio.Future[bool | None]:
    return asyncio.get_running_loop().run_in_executor(None, ask)


def _inquiry_of(info: psycopg.ConnectionInfo) -> Callable[[], bool | None]:
    """What asks whether the server works on a connection's statement; None if nobody knows."""
    dsn, pid = info.dsn, info.backend_pid
    how: dict[str, Any] = {
        "host": info.host,
        "port": info.port,
        "password": info.password or None,
        "connect_timeout": int(INQUIRY_S),
    }

    def ask() -> bool | None:
        try:
            with _Inquiry.connect(dsn, autocommit=True, **how) as other:
                row = other.execute(WORKING, [pid]).fetchone()
        except psycopg.Error as error:
            logger.info("the server cannot be asked for a lost answer: %s", error)
            return None
        return None if row is None else bool(row[0])

    return ask


class _Inquiry(AnsweredConnection):
    """Asks the server about another connection; its own answers are lost after INQUIRY_S."""

    def _watched(self, gen: Waiting[T]) -> Waiting[T]:
        return _watched(gen, INQUIRY_S, self._raise_if_lost)

    def _raise_if_lost(self, silent_s: float) -> None:
        self.pgconn.finish()
        raise psycopg.OperationalError(f"no answer to the inquiry for {silent_s:.0f} s")


def _watched(gen: Waiting[T], patience: float, check: Callable[[float], None]) -> Waiting[T]:
    """What psycopg waits for; after each `patience` seconds of silence `check` is told of it."""
    try:
        state = next(gen)
        heard = checked = time.monotonic()
        while True:
            ready = yield state
            if ready:
                heard = checked = time.monotonic()
            elif (now := time.monotonic()) - checked >= patience:
                checked = now
                check(now - heard)
            state = gen.send(ready)
    except StopIteration as ended:
        value: T = ended.value
        return value
