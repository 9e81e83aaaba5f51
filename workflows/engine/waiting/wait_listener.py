"""Listens for notices while calls of a process wait, on one connection for all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.waiting.waits import Waits

# A database is dropped only if its last connection ends within five seconds: tests do that.
KEPT_IDLE_S = 2.0


class Listen(Protocol):
    """Pass notices on until `is_over`. Raises when the connection is lost."""

    def __call__(
        self,
        *,
        on_connected: Callable[[], None],
        on_notice: Callable[[str, str], None],
        is_over: Callable[[], bool],
    ) -> None: ...


class WaitListener:
    """Its thread and its connection begin with a wait, and end KEPT_IDLE_S after the last.

    What it misses, a poll must find later: notices only wake waiters earlier.
    """

    def __init__(self, waits: Waits, listen: Listen, on_notice: Callable[[str, str], None]) -> None:
        self._waits = waits
        self._listen = listen
        self._on_notice = on_notice
        self._lock = threading.Lock()
        self._failures = LoopFailures("Listening for waiting calls")
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted_at = 0.0  # monotonic seconds
        self._is_connected = False

    def is_connected(self) -> bool:
        """Whether notices arrive now."""
        return self._is_connected

    def waited_for(self) -> None:
        """Somebody is about to wait."""
        with self._lock:
            self._wanted_at = time.monotonic()
            if self._thread is None and not self._stopped.is_set():
                thread = threading.Thread(
                    target=self._run, name="dboshub-wait-listener", daemon=True
                )
                thread.start()
                self._thread = thread

    def stop(self, timeout: float) -> None:
        """End the thread; waits up to `timeout` seconds."""
        with self._lock:
            self._stopped.set()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        while not self._has_ended():
            try:
                self._listen(
                    on_connected=self._connected, on_notice=self._on_notice, is_over=self._is_over
                )
            except BaseException as error:
                self._is_connected = False  # waiters are polled for during the pause
                self._stopped.wait(self._failures.failed(error))
            finally:
                self._is_connected = False
        self._failures.end()

    def _connected(self) -> None:
        """Wake all waiters: notices that were sent before LISTEN are lost."""
        self._failures.recovered()
        self._is_connected = True
        self._waits.wake_all()

    def _has_ended(self) -> bool:
        """Whether the thread must end. The lock keeps a new wait from being missed."""
        with self._lock:
            is_over = self._is_over()
            if is_over:
                self._thread = None
            return is_over

    def _is_over(self) -> bool:
        now = time.monotonic()
        if self._waits.pending():
            self._wanted_at = now
        return self._stopped.is_set() or now - self._wanted_at > KEPT_IDLE_S
