"""Whether the tasks of a workflow are quiet: each of them waits for something that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

# Turns of the event loop in which a callback may still lead to a task, as in gathers of gathers.
QUIET_TURNS = 10
# How often a task may then be found to run: one may wait in a loop for what another one gets.
MOST_CHECKS = 1_000

Tasks = Iterable["asyncio.Future[object]"]


class Settling:
    """Counts the turns of the event loop since the tasks of one execution did something."""

    __slots__ = ("_checks", "_idle", "_quiet")

    def __init__(self, tasks: Tasks) -> None:
        self._idle = set(tasks)  # those without an operation under way: a step may do anything
        self._quiet = self._checks = 0

    def stir(self) -> None:
        """Something goes on that may lead to the begin of an operation."""
        self._quiet = self._checks = 0

    def add(self, task: asyncio.Future[object]) -> None:
        self._idle.add(task)
        self._quiet = 0

    def end(self, task: asyncio.Future[object]) -> None:
        self._idle.discard(task)
        self._quiet = 0

    def begin_operation(self) -> None:
        """The current task begins an operation."""
        if (task := _current_task()) is not None:
            self._idle.discard(task)
            self.stir()

    def end_operation(self) -> None:
        """The current task has the result of its operation."""
        if (task := _current_task()) is not None:
            self._idle.add(task)

    def turn(self) -> bool:
        """Count a turn. Whether the tasks are quiet."""
        self._quiet += 1
        if self._quiet <= QUIET_TURNS:
            return False
        if self._checks < MOST_CHECKS and any(map(_can_run, self._idle)):
            self._checks += 1
            self._quiet = 0
            return False
        return True


def _can_run(task: asyncio.Future[object]) -> bool:
    """Whether the event loop will run a task without anything else; False if that is not known."""
    try:
        waits_for = task._fut_waiter  # type: ignore[attr-defined]
    except AttributeError:  # a task of another kind
        return False
    return not task.done() and (waits_for is None or waits_for.done())


def _current_task() -> asyncio.Future[object] | None:
    """The current task, or None on a thread that runs no event loop."""
    return asyncio.current_task() if asyncio._get_running_loop() is not None else None
