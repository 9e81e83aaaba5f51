"""Notes when a process passes a place in the engine, whose methods are wrapped for that."""

from __future__ import annotations

import functools
import time
from typing import Any


class Notes:
    """The monotonic seconds at which each place was passed last. One clock serves all processes."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}

    def note(self, place: str) -> None:
        self._times[place] = time.monotonic()

    def taken(self) -> dict[str, float]:
        """The times since the last call."""
        taken, self._times = self._times, {}
        return taken

    def around(
        self,
        owner: type,
        method: str,
        before: str | None,
        after: str | None = None,
        of: bytes = b"",
    ) -> None:
        """Note the begin and the end of a method; of statements only those that contain `of`."""
        original = getattr(owner, method)

        @functools.wraps(original)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            is_meant = not of or (isinstance(args[0], bytes) and of in args[0])
            if before and is_meant:
                notes.note(before)
            result = original(self, *args, **kwargs)
            if after and is_meant:
                notes.note(after)
            return result

        notes = self
        setattr(owner, method, call)
