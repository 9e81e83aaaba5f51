"""Daemon threads for sync workflows and for queries of coroutines."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial

logger = logging.getLogger("dboshub")

# Threads that were woken or started at once, and have taken no task yet.
MOST_COMING = 2
Task = Callable[[], None]
Refused = Callable[[BaseException], None]


class Threads:
    """Daemon threads, started as needed and reused when idle.

    A thread that takes a task calls the next thread for what is left: short tasks need few
    threads, and tasks that block get as many as `limit`. `after_task` is called on the thread
    after each task. With `short_tasks` a task waits for a busy thread if no other one can be
    started.
    """

    def __init__(
        self,
        name: str,
        limit: int,
        after_task: Callable[[], None] = lambda: None,
        *,
        short_tasks: bool = False,
    ) -> None:
        self._short_tasks = short_tasks
        self._name = name
        self._limit = limit
        self._after_task = after_task
        self._lock = threading.Lock()
        self._called = threading.Condition(self._lock)
        self._tasks: deque[tuple[Task, Refused | None]] = deque()
        self._idle = 0  # threads that wait to be called
        self._coming = 0  # threads that were called, and have taken no task yet
        self._is_stopping = False
        self._threads: set[threading.Thread] = set()

    def keep_one(self) -> None:
        """Start a thread now, so that a short task has one whatever is lacking later.

        Raises RuntimeError if it cannot be started.
        """
        with self._lock:
            self._start_one()

    def submit(self, task: Task, refused: Refused | None = None) -> None:
        """Run a task on an idle thread or a new one; at the limit, when a thread is idle.

        If no thread can be started the task is not run: `refused` is called with the reason, now
        or when it is its turn. Without `refused` RuntimeError is raised, or the task waits.
        """
        given = (task, refused)
        self._tasks.append(given)
        # Whoever comes looks for tasks after this moment. A submitter does not wait for a thread
        # that holds the lock to get its turn of the interpreter.
        if self._coming >= MOST_COMING:
            return
        with self._lock:
            try:
                self._call_thread()
                return
            except RuntimeError as error:
                if given not in self._tasks:
                    return  # a thread that was busy has taken it
                self._tasks.remove(given)
                if refused is None:
                    raise
                shortage = error
        refused(shortage)

    def stop(self) -> None:
        """Make every thread end when no task is left."""
        with self._lock:
            self._is_stopping = True
            self._coming += self._idle
            self._idle = 0
            self._called.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for all threads; False if one has not ended."""
        with self._lock:
            threads = [each for each in self._threads if each is not threading.current_thread()]
        for thread in threads:
            thread.join(timeout / max(1, len(threads)))
        return not any(thread.is_alive() for thread in threads)

    # The lock is held in the calls of this part.

    def _call_thread(self) -> None:
        """Let a thread come for the next task, unless enough of them do."""
        if not self._tasks or self._coming >= MOST_COMING:
            return
        if self._idle:
            self._idle -= 1
            self._coming += 1
            self._called.notify()
        elif len(self._threads) < self._limit:
            self._start_one()

    def _start_one(self) -> None:
        thread = threading.Thread(
            target=self._work, name=f"{self._name}-{len(self._threads)}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # A thread that comes takes a task, and calls the next one for what is left.
            if not (self._coming or (self._short_tasks and self._threads)):
                raise
        else:
            self._threads.add(thread)
            self._coming += 1

    def _call_for_the_rest(self) -> Sequence[Task]:
        """Let a thread come for what is left; returns how to refuse it if none can be started."""
        try:
            self._call_thread()
        except RuntimeError as error:
            return [partial(refused, error) for refused in self._take_refusals()]
        return []

    def _take_refusals(self) -> list[Refused]:
        """Take out the tasks that may be refused. Others may be added meanwhile."""
        refusals: list[Refused] = []
        for _ in range(len(self._tasks)):
            task, refused = self._tasks.popleft()
            if refused is None:
                self._tasks.append((task, None))
            else:
                refusals.append(refused)
        return refusals

    # What runs on the threads.

    def _work(self) -> None:
        is_coming = True
        try:
            while (task := self._next(is_coming=is_coming)) is not None:
                is_coming = False
                try:
                    # In a copy of the context, so that a task changes nothing for the next one.
                    copy_context().run(task)
                    self._after_task()
                except BaseException:
                    logger.exception("engine.task_failed")
        finally:
            self._threads.discard(threading.current_thread())

    def _next(self, *, is_coming: bool) -> Task | None:
        with self._lock:
            # With the lock until it takes a task: one that has a thread coming is not refused.
            self._coming -= is_coming
            while not self._tasks:
                if self._is_stopping:
                    return None
                self._idle += 1
                self._called.wait()
                self._coming -= 1
            task, _ = self._tasks.popleft()
            refusals = self._call_for_the_rest()
        for refuse in refusals:
            refuse()
        return task
