"""Killing an engine at one exact storage call: everything after it fails as if it were gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dboshub.workflows.engine.ports import Storage

# What background threads ask at times of their own would make the count differ from run to run.
UNCOUNTED = frozenset(
    {"owners", "settled_among", "messages_among", "events_among", "streams_among", "survey"}
    | {"cancel_overdue", "announce"}
    | {"waits_after", "waits_for", "forget_stale", "ready"}
)


# What finds nothing is no event: how often it looks is chance.
FINDS: dict[str, Callable[[Any], bool]] = {
    "claim": lambda claim: bool(claim.workflows),
    "release_due": bool,
}


class Died(BaseException):
    """The process is no more."""


class Death:
    """Strikes before or after the `at`-th storage call. Wraps every port of one engine."""

    def __init__(self, at: int, *, after: bool) -> None:
        self._at = at
        self._after = after
        self._lock = threading.Lock()
        self.calls: list[str] = []
        self.struck = threading.Event()

    def around(self, port: Any) -> Any:
        if isinstance(port, Storage):
            return replace(
                port,
                store=Mortal(port.store, self),
                open_journal_connection=lambda: Mortal(port.open_journal_connection(), self),
            )
        return Mortal(port, self)

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        if self.struck.is_set():
            raise Died(name)
        strikes = self._counts(name)
        if strikes and not self._after:
            self.struck.set()
            raise Died(f"before {name}")
        result = call()
        if strikes:
            self.struck.set()
        if self.struck.is_set():
            raise Died(f"after {name}")
        return result

    def _counts(self, name: str) -> bool:
        if name in UNCOUNTED:
            return False
        with self._lock:
            self.calls.append(name)
            return len(self.calls) == self._at


class Mortal:
    """A port that dies with its engine."""

    def __init__(self, port: Any, death: Death) -> None:
        self._port = port
        self._death = death

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._port, name)
        if not callable(attribute) or name == "close":
            return attribute

        def call(*args: Any, **kwargs: Any) -> Any:
            if name in FINDS and not self._death.struck.is_set():
                found = attribute(*args, **kwargs)
                has_found = FINDS[name](found)
                return self._death.pass_through(name, lambda: found) if has_found else found
            return self._death.pass_through(name, lambda: attribute(*args, **kwargs))

        return call
