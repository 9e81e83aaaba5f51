"""Wakes the watcher on PostgreSQL notifications. Without them it polls."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg

from dboshub.workflows.engine.waiting.notices import EVENTS, MESSAGES, STATUS, STREAMS
from dboshub.workflows.storage.waiting.notify import listen

logger = logging.getLogger(__name__)

# The three channels of every DBOS library, and DBOSHub's channel of status changes.
CHANNELS = (MESSAGES, EVENTS, STREAMS, STATUS)
FIRST_PAUSE_S, MAX_PAUSE_S = 0.1, 30.0


class Listener:
    """``start`` starts a thread with its own connection and returns the function that stops it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self, on_hint: Callable[[], None]) -> Callable[[], None]:
        over = threading.Event()
        threading.Thread(
            target=self._run, args=(on_hint, over), name="dboshub-live-listener", daemon=True
        ).start()
        return over.set

    def _run(self, on_hint: Callable[[], None], over: threading.Event) -> None:
        pause = FIRST_PAUSE_S
        while not over.is_set():
            began = time.monotonic()
            try:
                listen(
                    self._url,
                    CHANNELS,
                    on_connected=on_hint,
                    on_notice=lambda channel, payload: on_hint(),
                    is_over=over.is_set,
                )
            except psycopg.Error as error:
                logger.info("live.listener_lost: %s", error)
                lasted = time.monotonic() - began > MAX_PAUSE_S
                pause = FIRST_PAUSE_S if lasted else min(pause * 2, MAX_PAUSE_S)
                over.wait(pause)
