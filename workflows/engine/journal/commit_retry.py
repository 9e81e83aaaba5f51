"""Trying until the database answers, and saying how long that has been going on."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from dboshub.workflows.engine.journal.pending_write import JournalClosedError
from dboshub.workflows.engine.ports import StorageUnavailableError

logger = logging.getLogger("dboshub.journal")

RETRY_FIRST_S, RETRY_MAX_S = 0.05, 5.0
R = TypeVar("R")


class CommitRetry:
    """Repeats what is idempotent. `degraded_since` is the time of an outage under way.

    Who does not persist gets the first StorageUnavailableError.
    """

    def __init__(self, *, retries_unavailable: bool = True) -> None:
        self._retries_unavailable = retries_unavailable
        self.degraded_since: float | None = None
        self._working: dict[threading.Thread, float] = {}
        self._is_stopped = False

    def until_answered(self, attempt: Callable[[], R]) -> R:
        """The result of the first attempt that is answered.

        Raises JournalClosedError if the journal is given up meanwhile.
        """
        thread = threading.current_thread()
        pause = RETRY_FIRST_S
        self._working[thread] = time.monotonic()
        try:
            while True:
                try:
                    result = attempt()
                except StorageUnavailableError as error:
                    self._note(error)
                    if self._is_stopped:
                        raise JournalClosedError() from error
                    if not self._retries_unavailable:
                        raise
                else:
                    self.degraded_since = None
                    return result
                time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
                pause = min(pause * 2, RETRY_MAX_S)
        finally:
            del self._working[thread]

    def stop_retrying(self) -> None:
        """Let every attempt under way be the last."""
        self._is_stopped = True

    def oldest_age(self) -> float:
        """Seconds that the attempt under way longest has been under way; 0 if there is none."""
        begun = min([*self._working.values()], default=None)
        return 0.0 if begun is None else time.monotonic() - begun

    def _note(self, error: StorageUnavailableError) -> None:
        if self.degraded_since is None:
            self.degraded_since = time.time()
            logger.warning("journal.degraded: %s", error)
