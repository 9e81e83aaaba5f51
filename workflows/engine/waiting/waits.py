"""Table of all waiters of this process by key. Waiting holds no connection.

Waits are level-triggered: register, check, wait. A wake between the check and the wait is kept.
An unneeded wake only makes its waiter check again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from types import TracebackType
from typing import Any

# Kind and name: ("message", "destination::topic"), ("result", "workflow id"), …
Key = tuple[str, Hashable]
# Given names of one kind, returns those that are ready, by one query.
Poller = Callable[[Any, list[Any]], Iterable[Hashable]]

# The kind of a key that says: the waiter of this workflow has seen it, so it must not be missing.
KNOWN = "known"

CHUNK = 1_000

_Futures = dict[asyncio.AbstractEventLoop, list["asyncio.Future[None]"]]


class Waiter:
    """One call that waits. One thread or task at a time may use it, in a ``with`` block."""

    __slots__ = ("_future", "_gate", "_ready", "_waits", "keys")

    def __init__(self, waits: Waits, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self._waits = waits
        self._ready = False
        self._gate: threading.Lock | None = None
        self._future: asyncio.Future[None] | None = None

    def block(self, deadline: float | None = None) -> bool:
        """Block until woken; False at `deadline` (``time.monotonic()``)."""
        gate = threading.Lock()
        gate.acquire()
        with self._waits.mutex:
            if self._ready:
                return self._take()
            self._gate = gate
        try:
            gate.acquire(timeout=_seconds_left(deadline))
        finally:
            with self._waits.mutex:
                self._gate = None
                woken = self._take()
        return woken

    async def wait(self, deadline: float | None = None) -> bool:
        """Await a wake; False at `deadline` (``time.monotonic()``)."""
        loop = asyncio.get_running_loop()
        with self._waits.mutex:
            if self._ready:
                return self._take()
            future = self._future = loop.create_future()
        timer = None
        if deadline is not None:
            timer = loop.call_later(max(0.0, deadline - time.monotonic()), _settle, [future])
        try:
            await future
        finally:
            if timer is not None:
                timer.cancel()
            with self._waits.mutex:
                self._future = None
                woken = self._take()
        return woken

    def also(self, *keys: Key) -> None:
        """Wait for these keys, too."""
        self._waits.extend(self, keys)

    def signal(self, futures: _Futures) -> None:
        """Wake a thread, or collect a task's future for its loop; the table's mutex is held."""
        self._ready = True
        if self._gate is not None:
            self._gate.release()
            self._gate = None
        elif self._future is not None:
            futures.setdefault(self._future.get_loop(), []).append(self._future)
            self._future = None

    def _take(self) -> bool:
        woken, self._ready = self._ready, False
        return woken

    def __enter__(self) -> Waiter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._waits.forget(self)


class Waits:
    """Waiters by key, and a poller for each kind of key."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self._all: set[Waiter] = set()
        self._waiting: dict[str, dict[Hashable, set[Waiter]]] = {}
        self._pollers: dict[str, Poller] = {}
        self._on_pending: Callable[[], None] = _nothing

    def register(self, *keys: Key) -> Waiter:
        """A waiter for these keys. Register before the check; leave its ``with`` block after."""
        waiter = Waiter(self, ())
        with self.mutex:
            self._all.add(waiter)
        self.extend(waiter, keys)
        return waiter

    def extend(self, waiter: Waiter, keys: tuple[Key, ...]) -> None:
        """Add keys to a waiter."""
        with self.mutex:
            waiter.keys += keys
            for kind, name in keys:
                self._waiting.setdefault(kind, {}).setdefault(name, set()).add(waiter)
        if any(kind in self._pollers for kind, _ in keys):
            self._on_pending()

    def forget(self, waiter: Waiter) -> None:
        """Remove a waiter with all its keys."""
        with self.mutex:
            self._all.discard(waiter)
            for kind, name in waiter.keys:
                names = self._waiting.get(kind, {})
                waiters = names.get(name)
                if waiters is not None:
                    waiters.discard(waiter)
                    if not waiters:
                        del names[name]

    def wake(self, kind: str, name: Hashable) -> None:
        """Wake all waiters of this key."""
        self.wake_many([(kind, name)])

    def wake_many(self, keys: Iterable[Key]) -> None:
        """Wake all waiters of these keys."""
        with self.mutex:
            waiters = [
                waiter
                for kind, name in keys
                for waiter in self._waiting.get(kind, {}).get(name, ())
            ]
            futures = _signal(waiters)
        _deliver(futures)

    def wake_all(self) -> None:
        """Wake all waiters: the engine drains, or notices may have been missed."""
        with self.mutex:
            futures = _signal(self._all)
        _deliver(futures)

    def poller(self, kind: str, ready: Poller) -> None:
        """Check waiters of `kind` by `ready`, with at most CHUNK names at a time."""
        self._pollers[kind] = ready

    def poll(self, store: Any) -> int:
        """Check every polled waiter: one query per kind and thousand names.

        Returns how many keys were ready.
        """
        woken = 0
        for kind, ready in self._pollers.items():
            for names in self._chunks(kind):
                found = [(kind, name) for name in ready(store, names)]
                self.wake_many(found)
                woken += len(found)
        return woken

    def is_waiting(self, kind: str, name: Hashable) -> bool:
        """Whether a waiter has this key."""
        return name in self._waiting.get(kind, ())

    def pending(self) -> bool:
        """Whether any waiter has a poller."""
        with self.mutex:
            return any(self._waiting.get(kind) for kind in self._pollers)

    def on_pending(self, callback: Callable[[], None]) -> None:
        """Set the function to call when a waiter that has a poller registers."""
        self._on_pending = callback

    def __len__(self) -> int:
        return len(self._all)

    def _chunks(self, kind: str) -> Iterator[list[Hashable]]:
        with self.mutex:
            names = list(self._waiting.get(kind, ()))
        for start in range(0, len(names), CHUNK):
            yield names[start : start + CHUNK]


def _signal(waiters: Iterable[Waiter]) -> _Futures:
    futures: _Futures = {}
    for waiter in waiters:
        waiter.signal(futures)
    return futures


def _deliver(futures: _Futures) -> None:
    for loop, waiting in futures.items():
        try:
            loop.call_soon_threadsafe(_settle, waiting)
        except RuntimeError:
            pass  # the loop is closed: its tasks do not wait any more


def _settle(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)


def _seconds_left(deadline: float | None) -> float:
    if deadline is None:
        return -1  # Lock.acquire waits without a limit
    return min(max(0.0, deadline - time.monotonic()), threading.TIMEOUT_MAX)


def _nothing() -> None:
    pass
