# mypy: disable-error-code="misc,no-untyped-call,method-assign,attr-defined"
"""The end of the web process: SIGTERM or SIGINT ends it within STOP_S seconds.

Daphne cancels what is in flight and waits for the first of it. A thread that still serves a page
then waits for an event loop that has ended, and the interpreter waits for the thread. So:

- nothing new is accepted, what waits for its turn is refused, and sockets end at once;
- requests in flight have REQUESTS_S seconds to be answered, and are then cancelled;
- the process ends without whatever is still not done, STOP_S seconds after the signal at the
  latest, even if the event loop itself does not answer;
- a second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any

import daphne.server
from twisted.internet import defer
from twisted.internet.interfaces import IListeningPort

from dboshub.standalone.connection_limits import STOPPING, LimitedRequest

logger = logging.getLogger(__name__)

STOP_S = 10.0
REQUESTS_S = 7.0
# For what was cancelled.
CANCELLED_S = 1.0


def bound_stop() -> None:
    """Let the daphne server of this process, which is not running yet, end in time."""
    reactor: Any = daphne.server.reactor
    daphne.server.Server.kill_all_applications = _end_applications
    # Twisted has set its own handlers by then.
    reactor.callWhenRunning(_on_signals, reactor)


def _on_signals(reactor: Any) -> None:
    if threading.current_thread() is threading.main_thread():
        stop = Stop(lambda: reactor.callFromThread(_stop, reactor), leave)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop.ask)


def _stop(reactor: Any) -> None:
    if reactor.running:
        reactor.stop()


class Stop:
    """What the signals ask for: first an orderly end with a limit, then one at once."""

    def __init__(self, begin: Callable[[], object], leave: Callable[[int], object]) -> None:
        self._begin, self._leave = begin, leave
        self._is_asked = False
        # A signal handler may call its put() during a get(). The thread is there from the start:
        # later none may be had.
        self._asked: SimpleQueue[None] = SimpleQueue()
        threading.Thread(target=self._end, name="dboshub-stop", daemon=True).start()

    def ask(self, number: int, frame: object = None) -> None:
        """Handle a signal."""
        if self._is_asked:
            self._leave(128 + number)
        self._is_asked = True
        self._asked.put(None)
        self._begin()

    def _end(self) -> None:
        self._asked.get()
        time.sleep(STOP_S)
        logger.warning("The process ends: it has not stopped within %.0f s", STOP_S)
        self._leave(0)


def leave(code: int) -> None:
    """End the process without waiting for any thread. What is committed is durable."""
    logging.shutdown()
    os._exit(code)


def _end_applications(server: Any) -> defer.Deferred[None]:
    """What the reactor waits for before it ends."""
    for each in daphne.server.reactor.getReaders():
        if IListeningPort.providedBy(each):
            each.stopListening()
    # On connections that are open.
    server.http_factory.wrappedFactory.is_stopping = True
    requests: list[Any] = []
    sockets: list[Any] = []
    for protocol, details in [*server.connections.items()]:
        if isinstance(protocol, LimitedRequest):
            protocol.give_up(STOPPING)
        # A connection whose request is still arriving has none.
        application = details.get("application_instance")
        if application is not None and not application.done():
            (requests if isinstance(protocol, LimitedRequest) else sockets).append(application)
    ended = asyncio.ensure_future(_end_all(requests, sockets))
    return defer.Deferred.fromFuture(ended)


async def _end_all(requests: Iterable[Any], sockets: Iterable[Any]) -> None:
    for each in sockets:
        each.cancel()
    left = await _not_done(requests, REQUESTS_S)
    for each in left:
        each.cancel()
    left = await _not_done([*left, *sockets], CANCELLED_S)
    if left:
        logger.warning("The process ends, and %d requests with it", len(left))
        leave(0)


async def _not_done(applications: Iterable[Any], seconds: float) -> set[Any]:
    if not (waited := {*applications}):
        return waited
    return (await asyncio.wait(waited, timeout=seconds))[1]
