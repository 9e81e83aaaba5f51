"""What an execution knows of the ownership of its row: a reading that is recent and undoubted."""

from __future__ import annotations

from typing import NamedTuple

from dboshub.workflows.engine.clock import Clock

# A step body starts only if ownership was read less than this long ago.
VALID_S = 1.0


class Reading(NamedTuple):
    """A query of the owner: when it began, in monotonic seconds, and after how many doubts."""

    began_at: float
    doubts: int


class Ownership:
    """The last reading that found the execution to be the owner.

    A doubt, which another thread may raise at any time, outdates every reading that began before
    it, also one whose result comes later.
    """

    __slots__ = ("_clock", "_doubts", "_proof")

    def __init__(self, clock: Clock) -> None:
        """The execution has just become the owner."""
        self._clock = clock
        self._doubts = 0
        self._proof = self.begin_reading()

    def begin_reading(self) -> Reading:
        """To be called before the query is sent."""
        return Reading(self._clock.monotonic(), self._doubts)

    def confirm(self, reading: Reading) -> None:
        """The reading found the execution to be the owner."""
        if reading.began_at > self._proof.began_at or reading.doubts > self._proof.doubts:
            self._proof = reading

    def doubt(self) -> None:
        """The owner may have changed."""
        self._doubts += 1

    @property
    def is_doubted(self) -> bool:
        return self._proof.doubts != self._doubts

    @property
    def is_valid(self) -> bool:
        """Whether a step may start without another reading."""
        age_s = self._clock.monotonic() - self._proof.began_at
        return not self.is_doubted and age_s < VALID_S
