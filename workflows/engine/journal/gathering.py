"""How long a group waits for the writers of the group before it, who often write again at once."""

from __future__ import annotations

import time

PART = 0.25  # of the time that the last commit took
MOST_S = 0.002
SKIPPED = 16  # groups that do not wait, after one that waited in vain


class Gathering:
    """Says how many writes a group waits for. The journal's mutex is held in each call.

    Threads that a commit woke need a moment for their next writes. If those miss the next commit,
    two halves of the threads take turns, and each write waits for two commits.
    """

    def __init__(self) -> None:
        self.wanted = 0  # writes that a group waits for now
        self._writers = 0  # who waited for the last group that somebody waited for
        self._pending = 0  # writes that came while it was committed
        self._taken_at = self._committed_at = 0.0  # monotonic seconds
        self._skips = 0

    @property
    def is_crowded(self) -> bool:
        """Whether a write should wait for others rather than be committed by itself."""
        return self._writers > 1

    def taken(self, writers: int) -> None:
        """A group is committed now, and so many writers wait for it."""
        if writers:
            self._writers = writers
        self._taken_at = time.monotonic()

    def committed(self, pending: int) -> None:
        """The commit has ended, and so many writes are pending."""
        self._committed_at, self._pending = time.monotonic(), pending

    def begin(self, most: int) -> float:
        """Seconds to wait until the `wanted` writes are there, `most` at most; 0: not at all."""
        if not self.is_crowded:
            return 0.0
        if self._skips:
            self._skips -= 1
            return 0.0
        seconds = min((self._committed_at - self._taken_at) * PART, MOST_S)
        if seconds > 0:
            self.wanted = min(self._pending + self._writers, most)
        return seconds

    def end(self, missing: int) -> None:
        """So many of the wanted writes have not come."""
        self.wanted = 0
        if missing * 2 > self._writers:
            self._skips = SKIPPED
