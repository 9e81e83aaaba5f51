"""Wake suspended workflows whose message, event or outcome is there.

A notice wakes them at once. The walk through the wait rows finds what no notice told of; it looks
at WAITS_AT_ONCE rows at a time, so its cost does not depend on how many there are.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from dboshub.workflows.engine.background import BackgroundLoop
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.suspension.records import (
    EVENT,
    MESSAGE,
    MUST_EXIST,
    RESULT,
    SuspensionStore,
    WaitRow,
    WakeKey,
)
from dboshub.workflows.engine.waiting.notices import QUEUE

WAITS_AT_ONCE = 1_000
LOOK_S = 0.5  # between two looks of the walk
EMPTY_LOOK_S = 5.0  # while nothing waits
MAX_NOTICED = 10_000  # what is noticed beyond is left to the walk


class Waker:
    """One thread. `noticed` and `expect` may be called from any thread and do not wait."""

    def __init__(self, engine: Engine, store: SuspensionStore) -> None:
        self._engine = engine
        self._store = store
        self._lock = threading.Lock()
        self._noticed: dict[WakeKey, None] = {}
        self._check: list[WaitRow] = []
        self._expects = True  # whether there may be wait rows
        self._last: WaitRow | None = None  # where the walk is
        self._look_at = 0.0  # monotonic seconds
        self._loop = BackgroundLoop("wake", "Waking suspended workflows", self._turn)

    def start(self) -> None:
        self._loop.start()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop and wait up to `timeout` seconds; other processes walk on."""
        return self._loop.stop(timeout)

    def noticed(self, kind: str, payload: str) -> None:
        """A message or event was written, or a workflow ended."""
        if not self._expects or kind not in (MESSAGE, EVENT, RESULT):
            return
        with self._lock:
            if len(self._noticed) < MAX_NOTICED:
                self._noticed.update(dict.fromkeys(keys_of(kind, payload)))
        self._loop.wake()

    def written(self, waits: Sequence[WaitRow]) -> None:
        """These wait rows were committed: what came just before is to be found at once."""
        self._expects = True
        with self._lock:
            self._check += waits
        self._loop.wake()

    def _turn(self) -> float:
        """Wake what is known of, then look at the next wait rows if it is time."""
        with self._lock:
            written, self._check = self._check, []
            keys = [*self._noticed][:WAITS_AT_ONCE]
            for key in keys:
                del self._noticed[key]
        now = self._engine.clock.monotonic()
        if written:
            self._look_at = min(self._look_at, now + LOOK_S)
        for chunk in _chunks(written):
            self._wake(chunk)
        if keys:
            self._wake_waiters_of(keys)
        if now >= self._look_at:
            self._walk()
            self._look_at = now + (LOOK_S if self._expects else EMPTY_LOOK_S)
        if self._noticed:
            return 0.0
        return max(0.0, self._look_at - self._engine.clock.monotonic())

    def _wake_waiters_of(self, keys: Sequence[WakeKey]) -> None:
        waits = self._store.waits_for(keys, most=WAITS_AT_ONCE)
        # There may be more of them; if none of these could be woken, they are the walk's.
        if self._wake(waits) and len(waits) == WAITS_AT_ONCE:
            with self._lock:
                self._noticed.update(dict.fromkeys(keys))

    def _walk(self) -> None:
        waits = self._store.waits_after(self._last, most=WAITS_AT_ONCE)
        self._expects = bool(waits) or self._last is not None or bool(self._check)
        self._last = waits[-1] if len(waits) == WAITS_AT_ONCE else None
        if waits:
            self._store.forget_stale(waits)
            self._wake(waits)

    def _wake(self, waits: Sequence[WaitRow]) -> bool:
        """Enqueue the workflows whose wait is over; whether there was one."""
        ready = self._store.ready(waits) if waits else []
        queues = self._store.wake(ready, now=self._engine.clock.now_ms()) if ready else []
        self._engine.notices.publish([(QUEUE, name) for name in queues])
        return bool(queues)


def keys_of(kind: str, payload: str) -> Iterator[WakeKey]:
    """What the notice of a write may mean; ids, topics and keys may contain the separator."""
    if kind == RESULT:
        yield WakeKey(RESULT, payload)
        yield WakeKey(RESULT, payload, MUST_EXIST)
        return
    at = payload.find("::")
    while at >= 0:
        yield WakeKey(kind, payload[:at], payload[at + 2 :])
        at = payload.find("::", at + 1)


def _chunks(waits: Sequence[WaitRow]) -> Iterable[Sequence[WaitRow]]:
    return (waits[at : at + WAITS_AT_ONCE] for at in range(0, len(waits), WAITS_AT_ONCE))
