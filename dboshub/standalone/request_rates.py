"""How often a user or an address may ask."""

from __future__ import annotations

from collections import OrderedDict

from dboshub.live.socket_limits import Allowance

# Requests of one user or address: a second, and at once.
RATES = {"anonymous": (40.0, 200.0), "session": (200.0, 1_000.0), "socket": (30.0, 700.0)}
MAX_ADDRESSES = 10_000
# A socket that is cut off for abuse counts as so many handshakes.
ABUSE_COSTS = 50


class Rates:
    """How fast each asks; those that asked longest ago are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, str], Allowance] = OrderedDict()

    def take(self, asker: object, kind: str) -> bool:
        """Whether one more request of a kind in RATES is allowed now."""
        return self._of(asker, kind).take()

    def charge(self, asker: object, kind: str, number: int) -> None:
        """Count so many requests that were not made."""
        self._of(asker, kind).charge(number)

    def _of(self, asker: object, kind: str) -> Allowance:
        key = asker, kind
        if key not in self._known:
            self._known[key] = Allowance(*RATES[kind])
        self._known.move_to_end(key)
        while len(self._known) > MAX_ADDRESSES:
            self._known.popitem(last=False)
        return self._known[key]
