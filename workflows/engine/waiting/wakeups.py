"""Threads that wake waiters: one sends notices, one receives them, one polls for all waiters.

Correctness depends on the poll alone; notices only wake waiters earlier.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.waiting.notices import STATUS, Notice
from dboshub.workflows.engine.waiting.wait_poller import register_pollers

logger = logging.getLogger("dboshub")

POLL_S = 1.0  # default interval of the poll
VERIFY_OWNERSHIP_EVERY_S = 0.5
CHANGE_CHECK_EVERY_S = 0.01  # interval of reads of SQLite's change counter
STALLED_S = 5.0  # a commit that takes longer is logged


class NoticeTransport(Protocol):
    """Sends notices to other processes and receives theirs."""

    def send(self, notices: Sequence[Notice]) -> None:
        """Send notices to all processes that listen."""

    def listen(
        self,
        on_connected: Callable[[], None],
        on_notice: Callable[[str, str], None],
        is_over: Callable[[], bool],
    ) -> None:
        """Pass notices on until `is_over`. Raises when the connection is lost."""


class Wakeups:
    """The threads that wake waiters of one engine, and that verify ownership."""

    def __init__(
        self,
        engine: Engine,
        *,
        wake_queues: Callable[[], None],
        transport: NoticeTransport | None = None,
        listens: bool = True,
        change_counter: Callable[[], int] | None = None,
        poll_interval: float = POLL_S,
    ) -> None:
        """`transport` sends notices; without `listens` this process receives none and polls.

        `change_counter` changes with every commit of another process (SQLite); `poll_interval`
        is in seconds.
        """
        self._engine = engine
        self._wake_queues = wake_queues
        self._transport = transport
        self._change_counter = change_counter
        self._poll_interval = poll_interval
        self._stopping = threading.Event()
        self._threads = [
            self._thread(self._poll, "poll"),
            self._thread(self._verify_ownership, "ownership"),
        ]
        if transport is not None:
            self._threads.append(self._thread(self._send, "notify"))
            if listens:
                self._threads.append(self._thread(self._listen, "listen"))

    def start(self) -> None:
        """Register the pollers and start the threads."""
        register_pollers(self._engine.store, self._engine.waits)
        self._engine.notices.has_sender = self._transport is not None
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 5) -> None:
        """End the threads; waits up to `timeout` seconds for all of them."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._engine.notices.wake_sender()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _thread(self, target: Callable[[], None], role: str) -> threading.Thread:
        return threading.Thread(target=target, name=f"dboshub-{role}", daemon=True)

    def _poll(self) -> None:
        seen = self._change_counter() if self._change_counter is not None else 0
        while not self._stopping.is_set():
            seen = self._await_change(seen)
            if self._stopping.is_set():
                return
            try:
                if self._engine.waits.pending():
                    self._engine.waits.poll(None)
            except Exception as error:
                logger.warning("waits are polled again later: %s", error)

    def _await_change(self, seen: int) -> int:
        """Wait for the polling interval; end early if SQLite's change counter changed."""
        if self._change_counter is None:
            self._stopping.wait(self._poll_interval)
            return 0
        deadline = time.monotonic() + self._poll_interval
        while time.monotonic() < deadline and not self._stopping.wait(CHANGE_CHECK_EVERY_S):
            now = self._change_counter()
            if now != seen:
                self._wake_queues()
                return now
        return seen

    def _verify_ownership(self) -> None:
        while not self._stopping.wait(VERIFY_OWNERSHIP_EVERY_S):
            try:
                self._engine.executions.verify_ownership()
            except Exception as error:
                logger.warning("ownership is verified again later: %s", error)
            age = self._engine.journal.retry.oldest_age()
            if age > STALLED_S:
                logger.warning("journal.stalled: one commit has been under way for %.0f s", age)

    def _send(self) -> None:
        assert self._transport is not None
        while not self._stopping.is_set():
            notices = self._engine.notices.take(timeout=1.0)
            if notices:
                try:
                    self._transport.send(notices)
                except Exception as error:
                    logger.info("notices were not sent, others will poll: %s", error)
                self._stopping.wait(0.01)
        with suppress(Exception):
            self._transport.send([(STATUS, "")])  # the listener returns at once

    def _listen(self) -> None:
        assert self._transport is not None
        while not self._stopping.is_set():
            try:
                self._transport.listen(
                    self._connected, self._engine.notices.receive, self._stopping.is_set
                )
            except Exception as error:
                logger.info("the listener lost its connection and tries again: %s", error)
                self._stopping.wait(1.0)

    def _connected(self) -> None:
        """Wake all waiters: notices that were sent before LISTEN are lost."""
        self._engine.waits.wake_all()
        self._wake_queues()
