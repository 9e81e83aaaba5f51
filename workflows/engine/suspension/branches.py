"""Count the tasks that the body of a workflow creates: a body with other tasks is not alone.

An event loop does not tell who created a task; its task factory learns it from the context.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from dboshub.workflows.engine.context import FRAME

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.execution import Execution

_NewTask = Callable[..., "asyncio.Future[Any]"]


class CountingTasks:
    """A task factory that counts tasks by the execution whose body creates them."""

    def __init__(self, new_task: _NewTask) -> None:
        self._new_task = new_task

    def __call__(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        *,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Future[Any]:
        if context is not None:
            options["context"] = context
        task = self._new_task(loop, coroutine, **options)
        frame = FRAME.get() if context is None else context.get(FRAME)
        if frame is not None and frame.step is None:
            execution = frame.execution
            execution.tasks.add(task)
            if execution.order is not None:
                execution.order.settling.add(task)
            task.add_done_callback(partial(_end, execution))
        return task


def count_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Count on this loop from now on; its own task factory still makes the tasks."""
    if not is_counted(loop):
        factory: Any = CountingTasks(loop.get_task_factory() or _new_task)
        loop.set_task_factory(factory)


def is_counted(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether tasks of this loop are counted."""
    return isinstance(loop.get_task_factory(), CountingTasks)


def enter_body(execution: Execution) -> None:
    """The body is run by the current task, or by this thread, from now on."""
    execution.body = _branch()
    if execution.loop is not None:
        count_tasks(execution.loop)


def is_alone(execution: Execution) -> bool:
    """Whether the body itself runs this code, and nothing else goes on in its workflow."""
    loop = asyncio._get_running_loop()
    if loop is not None and (execution.tasks or not is_counted(loop)):
        return False
    return execution.body == _branch() and execution.activities.count == 1


def _branch() -> object:
    if asyncio._get_running_loop() is None:
        return threading.get_ident()
    return asyncio.current_task()


def _new_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    return asyncio.Task(coroutine, loop=loop, **options)


def _end(execution: Execution, task: asyncio.Future[Any]) -> None:
    execution.tasks.discard(task)
    if execution.order is not None:
        execution.order.settling.end(task)
