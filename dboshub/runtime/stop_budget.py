"""The time that all parts of a stop share."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger("dboshub")

# Seconds after the time for running work, in which everything else ends.
CLOSE_S = 1.0
MIN_SHARE_S = 0.1
ANSWER_S = 0.5  # for a database that has answered so far
UNANSWERED_S = 0.05


class StopBudget:
    """Seconds for running work, and CLOSE_S more for all else; no part has a time of its own."""

    def __init__(self, work_s: float) -> None:
        self._work_until = time.monotonic() + work_s
        self._database_answers = True

    def share(self) -> float:
        """Seconds for a part that ends at once when all is well: a quarter of the work's."""
        return max(MIN_SHARE_S, self.work_left() / 4)

    def work_left(self) -> float:
        """Seconds that running work still has."""
        return max(0.0, self._work_until - time.monotonic())

    def left(self) -> float:
        """Seconds until everything must have ended; never less than MIN_SHARE_S."""
        return max(MIN_SHARE_S, self._work_until + CLOSE_S - time.monotonic())

    def within(self, task: Callable[[], object], otherwise: str) -> None:
        """Run a task that asks the database, and go on without it when its time is over.

        It has ANSWER_S at least, but only until the first task is not answered. If it fails or is
        not done, `otherwise` is logged.
        """
        ended = threading.Event()

        def run() -> None:
            try:
                task()
            except BaseException as error:
                logger.warning("%s: %s", otherwise, error)
            finally:
                ended.set()

        seconds = max(ANSWER_S, self.left()) if self._database_answers else UNANSWERED_S
        try:
            threading.Thread(target=run, name="dboshub-stop", daemon=True).start()
        except RuntimeError:  # no more threads
            run()
        if not ended.wait(seconds):
            self._database_answers = False
            logger.warning("%s: the database did not answer within the time to stop", otherwise)
