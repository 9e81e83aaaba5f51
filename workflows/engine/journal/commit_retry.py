"""Retry of a commit until the database answers, and the age of the longest attempt."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.engine.journal.pending_write import JournalClosedError, PendingWrite
from dboshub.workflows.engine.ports import StorageExhaustedError, StorageUnavailableError

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 2.0
# Only a write of so many characters may itself be why the database has no memory for it.
LARGE_WRITE = 1024 * 1024
ATTEMPTS_WITHOUT_MEMORY = 8  # in about 5 s
R = TypeVar("R")


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

    def until_answered(self, attempt: Callable[[], R], group: Sequence[PendingWrite] = ()) -> R:
        """The result of the first attempt that the database answers.

        Pauses between attempts grow from 0.05 s to 2 s. Raises JournalClosedError after
        ``stop_retrying``, and ValueError if the database has no memory for a large write of the
        `group` that is committed: at once if there are others, who need not wait for it.
        """
        thread = threading.current_thread()
        pause, exhausted = RETRY_FIRST_S, 0
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
                    exhausted = exhausted + 1 if isinstance(error, StorageExhaustedError) else 0
                    if exhausted and exhausted >= _attempts_without_memory(group):
                        raise _no_memory_for(group, error) from error
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


def _attempts_without_memory(group: Sequence[PendingWrite]) -> float:
    """After how many attempts for lack of memory a group is given up."""
    if all(pending.size < LARGE_WRITE for pending in group):
        return float("inf")
    return 1 if len(group) > 1 else ATTEMPTS_WITHOUT_MEMORY


def _no_memory_for(group: Sequence[PendingWrite], error: StorageUnavailableError) -> ValueError:
    size = max(pending.size for pending in group)
    return ValueError(
        f"a value of {size:,} characters cannot be kept: the database had no memory for it "
        f"({error})"
    )
