"""Message ids that sort in the order they were drawn, also within one millisecond."""

from __future__ import annotations

import secrets
import threading
import uuid

_COUNTER_BITS = 12


class MessageIds:
    """Draws UUIDs of version 7: milliseconds, a counter, and random bits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def draw(self, now_ms: int) -> str:
        """A new id; it sorts after every id that this object drew before."""
        with self._lock:
            self._last = max(self._last + 1, now_ms << _COUNTER_BITS)
            moment, counter = divmod(self._last, 1 << _COUNTER_BITS)
        value = moment << 80 | 7 << 76 | counter << 64 | 2 << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=value))
