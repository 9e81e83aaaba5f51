"""Poll for all waiters of a process that receives no notices.

The thread runs while there are waiters. After a new wait the pause between two polls is 0.02 s;
it doubles up to 1 s. While notices arrive it is 1 s, and a new wait causes no poll.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.ports import Store
from dboshub.workflows.engine.waiting.waits import KNOWN, Waits

logger = logging.getLogger("dboshub")

FIRST_PAUSE_S, MAX_PAUSE_S = 0.02, 1.0
KEPT_IDLE_S = 5.0


class WaitPoller:
    """Polls with one query per kind of wait and CHUNK waits."""

    def __init__(
        self,
        store: Store,
        waits: Waits,
        *,
        after_poll: Callable[[bool], None],
        is_told: Callable[[], bool] = lambda: False,
    ) -> None:
        """`after_poll` is called on the polling thread, with True if there are no waiters left.

        `is_told` says whether notices wake the waiters now.
        """
        self._store = store
        self._is_told = is_told
        self._waits = waits
        self._after_poll = after_poll
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._failures = LoopFailures("The poll for waiting calls")
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._pause = FIRST_PAUSE_S
        self._is_stopped = False

    def start_on_demand(self) -> None:
        """Start polling with the first wait."""
        register_pollers(self._store, self._waits)
        self._waits.on_pending(self._waited_for)

    def stop(self, timeout: float = 5.0) -> None:
        """End the thread; waits up to `timeout` seconds."""
        with self._lock:
            self._is_stopped = True
            thread = self._thread
        self._stopped.set()
        self._wake.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _waited_for(self) -> None:
        with self._lock:
            self._pause = FIRST_PAUSE_S
            if self._thread is None and not self._is_stopped:
                thread = threading.Thread(target=self._run, name="dboshub-poll", daemon=True)
                thread.start()
                self._thread = thread
        if not self._is_told():
            self._wake.set()

    def _run(self) -> None:
        idle_since, is_released = time.monotonic(), True
        while not self._has_ended(idle_since):
            if self._waits.pending():
                idle_since, is_released = time.monotonic(), False
                self._poll()
            elif not is_released:
                is_released = True
                self._released(is_last=True)
            self._wait()
        self._failures.end()
        self._released(is_last=True)

    def _has_ended(self, idle_since: float) -> bool:
        """Whether the thread must end. The lock keeps a new wait from being missed."""
        with self._lock:
            is_idle = not self._waits.pending() and time.monotonic() - idle_since > KEPT_IDLE_S
            if is_idle or self._is_stopped:
                self._thread = None
                return True
            return False

    def _poll(self) -> None:
        try:
            if self._waits.poll(None):
                # Woken waiters are about to leave: poll again soon to see whether any is left.
                self._pause = FIRST_PAUSE_S
        except BaseException as error:
            pause = self._failures.failed(error)
            self._released(is_last=False)
            self._stopped.wait(pause)  # a new wait does not cut this short
            return
        self._failures.recovered()
        self._released(is_last=False)

    def _released(self, *, is_last: bool) -> None:
        try:
            self._after_poll(is_last)
        except Exception as error:
            logger.warning("the connection of the waits' poll was not released: %s", error)

    def _wait(self) -> None:
        with self._lock:
            pause, self._pause = self._pause, min(self._pause * 2, MAX_PAUSE_S)
        if self._is_told():
            pause = MAX_PAUSE_S
        if self._wake.wait(pause):
            self._wake.clear()


def register_pollers(store: Store, waits: Waits) -> None:
    """Set the query that checks each kind of wait in bulk."""
    waits.poller("result", lambda _, ids: _settled(store, waits, ids))
    waits.poller("message_sent", lambda _, keys: store.messages_among(keys))
    waits.poller("event_set", lambda _, keys: store.events_among(keys))
    waits.poller("stream_at", lambda _, keys: store.streams_among(keys))


def _settled(store: Store, waits: Waits, ids: list[str]) -> list[str]:
    """The workflows that ended, or that a waiter has seen and that do not exist any more."""
    return [
        each for each, exists in store.settled_among(ids) if exists or waits.is_waiting(KNOWN, each)
    ]
