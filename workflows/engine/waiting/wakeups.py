"""Threads that wake waiters: one sends notices, one receives them, one polls for all waiters.

Correctness depends on the poll alone; notices only wake waiters earlier.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.handing_back import run_again
from dboshub.workflows.engine.waiting.listening import Demand, Listening
from dboshub.workflows.engine.waiting.notices import COALESCE_S, STATUS, Notice
from dboshub.workflows.engine.waiting.wait_poller import register_pollers

logger = logging.getLogger("dboshub")

POLL_S = 1.0  # default interval of the poll
VERIFY_OWNERSHIP_EVERY_S = 0.5
CHANGE_CHECK_EVERY_S = 0.01  # interval of reads of SQLite's change counter
MAX_PAUSE_S = 5.0  # after failures: waiters wait meanwhile
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

    def close(self) -> None:
        """Close what `send` keeps open, after its last call."""


class Wakeups:
    """The threads that wake waiters of one engine, and that verify ownership."""

    def __init__(
        self,
        engine: Engine,
        *,
        wake_queues: Callable[[], None],
        transport: NoticeTransport | None = None,
        listening: Listening = Listening.ALWAYS,
        change_counter: Callable[[], int] | None = None,
        poll_interval: float = POLL_S,
    ) -> None:
        """`transport` sends notices, and receives them as `listening` says; without, others poll.

        `change_counter` changes with every commit of another process (SQLite); `poll_interval`
        is in seconds.
        """
        self._engine = engine
        self._wake_queues = wake_queues
        self._transport = transport
        self._change_counter = change_counter
        self._poll_interval = poll_interval
        self._stopping = threading.Event()
        self._demand: Demand | None = None
        self._seen: int | None = None
        self._loops = [
            self._loop("poll", "The poll for waiting calls", self._poll),
            self._loop("ownership", "The check of ownership", self._verify_ownership),
        ]
        if transport is not None:
            self._loops.append(self._loop("notify", "Sending notices", self._send))
            if listening is not Listening.NEVER:
                self._listener = self._loop("listen", "Listening for notices", self._listen)
                self._loops.append(self._listener)
            if listening is Listening.WHILE_WAITED:
                self._demand = Demand(engine.waits)

    def start(self) -> None:
        """Register the pollers and start the threads."""
        register_pollers(self._engine.store, self._engine.waits)
        self._engine.notices.has_sender = self._transport is not None
        for loop in self._loops:
            loop.start()

    def stop(self, timeout: float = 5) -> None:
        """End the threads; waits up to `timeout` seconds for all of them."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        if self._demand is not None:
            self._demand.stop()
        self._engine.notices.wake_sender()
        for loop in self._loops:
            loop.stop(max(0.0, deadline - time.monotonic()))
        if self._transport is not None:
            self._transport.close()

    def _loop(self, name: str, what: str, turn: Callable[[], float]) -> BackgroundLoop:
        return BackgroundLoop(
            name, what, turn, stopping=self._stopping, longest_pause_s=MAX_PAUSE_S
        )

    def _poll(self) -> float:
        if self._seen is None:
            self._seen = self._change_counter() if self._change_counter is not None else 0
        self._seen = self._await_change(self._seen)
        if not self._stopping.is_set() and self._engine.waits.pending():
            self._engine.waits.poll(None)
        return 0.0

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

    def _verify_ownership(self) -> float:
        age = self._engine.journal.retry.oldest_age()
        if age > STALLED_S:
            logger.warning("journal.stalled: one commit has been under way for %.0f s", age)
        for each in self._engine.executions.remove_stranded():
            run_again(self._engine, each.workflow_id, each.owner, each.queue_name)
        self._engine.executions.verify_ownership()
        return VERIFY_OWNERSHIP_EVERY_S

    def _send(self) -> float:
        """Send the notices that wait; those that cannot be sent are lost, and others poll.

        The last notice makes the listener, which waits for one, return at once.
        """
        assert self._transport is not None
        notices = self._engine.notices.take(timeout=1.0)
        if notices:
            self._transport.send(notices)
            self._stopping.wait(COALESCE_S)
        if self._stopping.is_set():
            self._transport.send([(STATUS, "")])
        return 0.0

    def _listen(self) -> float:
        """Listen, for as long as that is wanted; a lost connection raises."""
        assert self._transport is not None
        is_over = self._stopping.is_set
        if self._demand is not None:
            if not self._demand.wait():
                return 0.0
            is_over = self._demand.has_ended
        self._transport.listen(self._connected, self._engine.notices.receive, is_over)
        return 0.0

    def _connected(self) -> None:
        """Wake all waiters: notices that were sent before LISTEN are lost."""
        self._listener.failures.recovered()
        self._engine.waits.wake_all()
        self._wake_queues()
