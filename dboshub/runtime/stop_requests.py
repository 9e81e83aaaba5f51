"""Being asked to stop: by signals, by the end of a pipe, and more than once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from queue import Empty, SimpleQueue


class StopRequests:
    """Counts requests, each of which ends one wait."""

    def __init__(self) -> None:
        # Its put() may interrupt its own get(): locks and events in a signal handler may not.
        self._requests: SimpleQueue[None] = SimpleQueue()

    def ask(self, *_signal: object) -> None:
        self._requests.put(None)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the next request; False if none came in time."""
        try:
            self._requests.get(timeout=timeout)
        except Empty:
            return False
        return True

    def on_signals(self) -> None:
        """Take SIGTERM and SIGINT as requests; from the main thread only."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.ask)

    def on_end_of_input(self) -> None:
        """Take the end of standard input as one: the pipe of a parent that lives."""

        standard_input = sys.stdin.fileno()

        def watch() -> None:
            # Not by sys.stdin: the interpreter could not end while a thread holds its lock.
            while os.read(standard_input, 4_096):
                pass
            self.ask()

        threading.Thread(target=watch, name="dboshub-parent", daemon=True).start()
