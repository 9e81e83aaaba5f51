"""Background loops: each one survives every exception of its turns, and says so.

A failure is logged once for each kind, the next turn comes after a pause that grows and that no
wake cuts short, and `failing` lists the loops of this process that fail now.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any
from weakref import WeakSet

from dboshub.workflows.engine.ports import StorageUnavailableError

logger = logging.getLogger("dboshub")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 30.0
# While the database is away: what waits for the loop goes on soon after it is back.
OUTAGE_PAUSE_S = 2.0
LOG_AGAIN_S = 60.0
MAX_ERROR_LENGTH = 300
# Their errors say all in one line: of others the traceback is logged.
DRIVERS = ("psycopg", "psycopg_pool", "sqlite3", "django")


@dataclass(frozen=True, slots=True)
class Failing:
    """A loop that fails. `since` is epoch seconds."""

    what: str
    since: float
    failures: int
    error: str

    def as_json(self) -> dict[str, Any]:
        """A JSON object for operators, with `since` in epoch ms."""
        error = self.error[:MAX_ERROR_LENGTH]
        times = {"since": int(self.since * 1_000), "failures": self.failures}
        return {"kind": "failing", "name": self.what, "error": error, **times}


class LoopFailures:
    """The failures of one loop since its last turn that went well."""

    def __init__(
        self,
        what: str,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        """`what` begins the sentences of the log: "Claiming from queues"."""
        self.what = what
        self.count = 0
        self._first_pause_s, self._longest_pause_s = first_pause_s, longest_pause_s
        self._logged_at: dict[type[BaseException], float] = {}
        self._is_logged = False
        self._state: Failing | None = None
        with _known_lock:
            _known.add(self)

    @property
    def state(self) -> Failing | None:
        """How the loop fails; None if it does not."""
        return self._state

    def failed(self, error: BaseException) -> float:
        """Note a failed turn, log it if it is the first of its kind; return the pause in s."""
        self.count += 1
        since = self._state.since if self._state else time.time()
        line = (str(error) or type(error).__name__).split("\n", 1)[0]
        self._state = Failing(self.what, since, self.count, line)
        if self._is_news(type(error)):
            self._is_logged = True
            is_plain = type(error).__module__.split(".")[0] in DRIVERS or error.__cause__
            trace = None if is_plain else error
            logger.warning("%s fails and is tried again: %s", self.what, line, exc_info=trace)
        most = min(self._longest_pause_s, OUTAGE_PAUSE_S if _is_outage(error) else inf)
        pause = min(most, self._first_pause_s * 2.0 ** min(self.count - 1, 20))
        return pause * random.uniform(0.75, 1.25)

    def recovered(self) -> None:
        """Note a turn that went well."""
        if not self.count:
            return
        if self._is_logged:
            logger.warning("%s works again after %d failures", self.what, self.count)
        self.end()

    def end(self) -> None:
        """Forget the failures of a loop that has ended."""
        self.count, self._is_logged, self._state = 0, False, None

    def _is_news(self, kind: type[BaseException]) -> bool:
        now = time.monotonic()
        if now - self._logged_at.get(kind, float("-inf")) < LOG_AGAIN_S:
            return False
        self._logged_at[kind] = now
        return True


class BackgroundLoop:
    """A daemon thread that repeats a turn, which returns the seconds until the next one."""

    def __init__(
        self,
        name: str,
        what: str,
        turn: Callable[[], float],
        *,
        first_wait_s: float = 0.0,
        after_turn: Callable[[], object] = lambda: None,
        stopping: threading.Event | None = None,
        longest_pause_s: float = LONGEST_PAUSE_S,
    ) -> None:
        """`after_turn` is called after each turn, also a failed one; `stopping` ends the loop."""
        self.failures = LoopFailures(what, longest_pause_s=longest_pause_s)
        self.stopping = stopping or threading.Event()
        self._turn = turn
        self._after_turn = after_turn
        self._first_wait_s = first_wait_s
        self._woken = threading.Event()
        self._thread = threading.Thread(target=self.run, name=f"dboshub-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Begin the next turn now, unless the last one failed."""
        self._woken.set()

    def stop(self, timeout: float | None = None) -> bool:
        """Stop and wait up to `timeout` seconds; return whether the thread has ended."""
        self.stopping.set()
        self._woken.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def run(self) -> None:
        """Repeat turns on this thread until the loop is stopped."""
        wait = self._first_wait_s
        while not self.stopping.is_set():
            if wait > 0:
                self._woken.wait(wait)
            self._woken.clear()
            if not self.stopping.is_set():
                wait = self._attempt()
        self.failures.end()

    def _attempt(self) -> float:
        try:
            try:
                wait = self._turn()
            finally:
                self._after_turn()
        except BaseException as error:
            if self.stopping.is_set():
                return 0.0  # what it needs was closed
            self.stopping.wait(self.failures.failed(error))
            return 0.0
        self.failures.recovered()
        return wait


def _is_outage(error: BaseException) -> bool:
    """Whether a database does not answer; drivers and Django name it alike."""
    names = {each.__name__ for each in type(error).__mro__}
    return isinstance(error, StorageUnavailableError) or "OperationalError" in names


_known: WeakSet[LoopFailures] = WeakSet()
_known_lock = threading.Lock()


def failing() -> list[Failing]:
    """The loops of this process that fail now, the longest first."""
    with _known_lock:
        found = [each.state for each in _known]
    return sorted((state for state in found if state), key=lambda state: state.since)
