"""Wakes the watcher on PostgreSQL notifications. Without them it polls."""

from __future__ import annotations

import threading
from collections.abc import Callable

from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.engine.waiting.wait_listener import Listen


class Listener:
    """``start`` starts a thread with its own connection and returns the function that stops it."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen

    def start(self, on_hint: Callable[[], None]) -> Callable[[], None]:
        over = threading.Event()

        def listen_once() -> float:
            self._listen(
                on_connected=connected,
                on_notice=lambda channel, payload: on_hint(),
                is_over=over.is_set,
            )
            return 0.0

        def connected() -> None:
            loop.failures.recovered()
            on_hint()

        loop = BackgroundLoop(
            "live-listener", "Listening for live updates", listen_once, stopping=over
        )
        loop.start()
        return over.set
