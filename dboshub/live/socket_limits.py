"""How many sockets this process serves, of whom, and how fast one may speak."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

MAX_SOCKETS, MAX_PER_ADDRESS, MAX_PER_USER = 2_000, 800, 100
# Sockets that nobody is known to own yet: each of them asks the database.
MAX_UNADMITTED, MAX_UNADMITTED_PER_ADDRESS = 64, 16
MAX_TOPICS_PER_USER = 2_000
# A page subscribes in a few frames, and acknowledges what it is sent.
FRAMES_PER_S, FRAMES_AT_ONCE = 20.0, 200.0
# Forged or outdated tokens, after which a socket is closed: a page has at most 64 topics.
MAX_REFUSED = 100
# The code that closes a socket for too many frames or forged tokens.
TOO_MUCH = 4429


@dataclass(slots=True)
class OpenSockets:
    """Counts of the open sockets of this process."""

    by_address: Counter[str] = field(default_factory=Counter)
    by_user: Counter[str] = field(default_factory=Counter)
    topics_by_user: Counter[str] = field(default_factory=Counter)
    unadmitted: Counter[str] = field(default_factory=Counter)

    def has_room_for(self, address: str) -> bool:
        if self.by_address.total() >= MAX_SOCKETS or self.unadmitted.total() >= MAX_UNADMITTED:
            return False
        is_busy = self.unadmitted[address] >= MAX_UNADMITTED_PER_ADDRESS
        return not is_busy and self.by_address[address] < MAX_PER_ADDRESS

    def has_room_for_user(self, user: str) -> bool:
        return self.by_user[user] < MAX_PER_USER


def release(counts: Counter[str], key: str, number: int = 1) -> None:
    """Subtract from a count; a key without a count is not kept."""
    counts[key] -= number
    if counts[key] <= 0:
        del counts[key]


class Allowance:
    """So many frames, or whatever is counted, at once, and so many more each second."""

    def __init__(self, per_s: float = FRAMES_PER_S, at_once: float = FRAMES_AT_ONCE) -> None:
        self._per_s, self._most = per_s, at_once
        self._left, self._at = at_once, time.monotonic()

    def take(self, number: int = 1) -> bool:
        """Whether one more, or so many more, are allowed now."""
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < number:
            return False
        self._left -= number
        return True

    def charge(self, number: int) -> None:
        """Take so many whether they are allowed or not: more are after a while only."""
        self._left = max(-self._most, self._left - number)
