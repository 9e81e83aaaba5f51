"""Retry of a commit until the database answers, and the age of the longest attempt."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.journal.pending_write import JournalClosedError, PendingWrite
from dboshub.workflows.engine.journal.writes import ConsumeWrite, Write
from dboshub.workflows.engine.ports import StorageExhaustedError, StorageUnavailableError

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 2.0
# Only a value of so many characters may itself be why the database fails for it.
LARGE_WRITE = 1024 * 1024
ATTEMPTS_WITH_LARGE = 8  # in about 5 s
R = TypeVar("R")
Largest = Callable[[Sequence[Write]], int]


class CommitRetry:
    """Repeats idempotent commits while the database does not answer.

    With `retries_unavailable=False` the first StorageUnavailableError propagates. An outage is
    among the failures that health shows.
    """

    def __init__(self, *, retries_unavailable: bool = True) -> None:
        self._retries_unavailable = retries_unavailable
        self._outage = LoopFailures("Committing to the database")
        self._working: dict[threading.Thread, float] = {}
        self._stopped = threading.Event()

    def until_answered(
        self,
        attempt: Callable[[], R],
        group: Sequence[PendingWrite] = (),
        largest: Largest = lambda writes: 0,
    ) -> R:
        """The result of the first attempt that the database answers.

        Pauses between attempts grow from 0.05 s to 2 s. Raises JournalClosedError after
        ``stop_retrying``, and ValueError if the database answers, but fails for a large value of
        the `group` that is committed: at once if there are others, who need not wait for it.
        `largest` is that of the connection.
        """
        thread = threading.current_thread()
        pause = RETRY_FIRST_S
        self._working[thread] = time.monotonic()
        try:
            while True:
                try:
                    result = attempt()
                except StorageUnavailableError as error:
                    if self._stopped.is_set():
                        self._outage.end()
                        raise JournalClosedError() from error
                    self._outage.failed(error)
                    if not self._retries_unavailable:
                        raise
                    size = _size_at_fault(error, group, largest)
                    if size >= LARGE_WRITE and _is_given_up(group):
                        raise _cannot_be_kept(size, error) from error
                else:
                    self._outage.recovered()
                    return result
                self._stopped.wait(pause * random.uniform(0.5, 1.5))
                pause = min(pause * 2, RETRY_MAX_S)
        finally:
            del self._working[thread]

    def stop_retrying(self) -> None:
        """Make each attempt that is under way the last one, and end the pauses between them."""
        self._stopped.set()
        self._outage.end()

    def oldest_age(self) -> float:
        """Age in seconds of the oldest attempt under way; 0 without one."""
        begun = min([*self._working.values()], default=None)
        return 0.0 if begun is None else time.monotonic() - begun


def _size_at_fault(
    error: StorageUnavailableError, group: Sequence[PendingWrite], largest: Largest
) -> int:
    """The size of the value that may be why a group fails; 0 if the database does not answer."""
    is_suspect = any(
        pending.size >= LARGE_WRITE or isinstance(pending.write, ConsumeWrite) for pending in group
    )
    if not is_suspect or not isinstance(error, StorageExhaustedError):
        return 0
    try:
        return largest([pending.write for pending in group])
    except StorageUnavailableError:
        return 0


def _is_given_up(group: Sequence[PendingWrite]) -> bool:
    """Whether to try a group with a large value no more.

    A write by itself counts its failures: between them it may find its row locked, by a session
    of the server that has not heard yet that its connection ended.
    """
    if len(group) > 1:
        return True
    group[0].failures += 1
    return group[0].failures >= ATTEMPTS_WITH_LARGE


def _cannot_be_kept(size: int, error: StorageUnavailableError) -> ValueError:
    return ValueError(
        f"a value of {size:,} characters cannot be kept: "
        f"the database answers others, but each time fails for it ({error})"
    )
