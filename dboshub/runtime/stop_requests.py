"""Stop requests from signals and from a closed parent pipe."""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import Empty, SimpleQueue


class StopRequests:
    """Queue of stop requests; each request ends one wait."""

    def __init__(self) -> None:
        # A signal handler may call its put() during a get(). Locks and events do not allow that.
        self._requests: SimpleQueue[None] = SimpleQueue()

    def ask(self, *_signal: object) -> None:
        """Add a request; a signal handler may call this."""
        self._requests.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the next request; False at the timeout (seconds)."""
        try:
            self._requests.get(timeout=timeout)
        except Empty:
            return False
        return True

    def on_signals(self, *more: signal.Signals) -> None:
        """Make SIGTERM, SIGINT and `more` requests. Call this on the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT, *more):
            signal.signal(number, self.ask)

    def on_end_of_input(self) -> None:
        """Make the end of standard input a request: the pipe of a parent that has ended."""

        standard_input = sys.stdin.fileno()

        def watch() -> None:
            # Not by sys.stdin: the interpreter could not end while a thread holds its lock.
            while os.read(standard_input, 4_096):
                pass
            self.ask()

        threading.Thread(target=watch, name="dboshub-parent", daemon=True).start()
