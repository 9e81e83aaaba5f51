"""The backend: makes workflows of tasks' functions, enqueues them, tells what became of them."""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import iscoroutinefunction
from typing import Any

from django.utils import timezone

from dboshub.queues.engine.queue import Queue
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.tasks import rows
from dboshub.tasks.compat import (
    BaseTaskBackend,
    Task,
    TaskContext,
    TaskResultDoesNotExist,
    TaskResultStatus,
    task_enqueued,
    task_finished,
    task_started,
)
from dboshub.tasks.results import change, new_result, result_of, workflow_priority
from dboshub.tasks.rows import row_of
from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.error_text import message_of, type_of
from dboshub.workflows.engine.errors import PortableWorkflowError
from dboshub.workflows.engine.portable_json import portable
from dboshub.workflows.engine.registration.decorators import workflow
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.engine.runtime.call_options import EnqueueOptions
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat


class WorkflowTaskBackend(BaseTaskBackend):
    """Tasks are run by whoever runs this application's workflows: ``manage.py runworkers``.

    Steps that a task's function calls are recorded, and a crash continues after the last of
    them; a function without steps is run again. Arguments and results must be JSON.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._tasks: dict[str, Task[Any, Any]] = {}

    def validate_task(self, task: Task[Any, Any]) -> None:
        """Check a task, and let this process run it. Raises InvalidTask."""
        super().validate_task(task)
        self._tasks.setdefault(task.module_path, task)
        known = registry.workflows.get(task.module_path)
        if known is None or getattr(known.function, "__wrapped__", None) is not task.func:
            register(self, task)
        if queue_registry.declared(task.queue_name) is None:
            Queue(task.queue_name)

    def enqueue(self, task: Task[Any, Any], args: Any, kwargs: Any) -> Any:
        """Enqueue; within a transaction of the system database it takes part in that."""
        self.validate_task(task)
        options: EnqueueOptions = {
            "workflow_name": task.module_path,
            "queue_name": task.queue_name,
            "priority": workflow_priority(task.priority),
            "serialization_type": WorkflowSerializationFormat.PORTABLE,
        }
        if task.run_after is not None:
            wait = (task.run_after - timezone.now()).total_seconds()
            if wait > 0:
                options["delay_seconds"] = wait
        workflow_id = rows.enqueue(options, args, kwargs)
        result = new_result(
            task, workflow_id, self.alias, enqueued_at=timezone.now(), args=args, kwargs=kwargs
        )
        task_enqueued.send(type(self), task_result=result)
        return result

    def get_result(self, result_id: str) -> Any:
        """The result of a task by its id. Raises TaskResultDoesNotExist."""
        row = row_of(result_id)
        task = None if row is None else self._tasks.get(row["name"])
        if row is None or task is None:
            raise TaskResultDoesNotExist(result_id)
        return result_of(row, task, self.alias)

    @contextmanager
    def running(self, task: Task[Any, Any]) -> Iterator[Any]:
        """Tell that a task starts, and how it ends; yields its result, to be filled."""
        frame = FRAME.get()
        assert frame is not None
        result = self.get_result(frame.execution.workflow_id)
        task_started.send(type(self), task_result=result)
        try:
            yield result
        except Exception as error:
            path = f"{type(error).__module__}.{type(error).__qualname__}"
            told = {"exception_class_path": path, "traceback": traceback.format_exc()}
            failed = PortableWorkflowError(message_of(error), type_of(error), data=told)
            change(result, finished_at=timezone.now(), status=TaskResultStatus.FAILED)
            task_finished.send(type(self), task_result=result)
            raise failed from error
        change(result, finished_at=timezone.now(), status=TaskResultStatus.SUCCESSFUL)
        task_finished.send(type(self), task_result=result)


def register(backend: WorkflowTaskBackend, task: Task[Any, Any]) -> None:
    """Make a workflow of a task's function, by the path that names the task."""
    decorate = workflow(
        name=task.module_path,
        serialization_type=WorkflowSerializationFormat.PORTABLE,
        validate_args=without_validation,
    )
    decorate(
        _awaiting(backend, task) if iscoroutinefunction(task.func) else _calling(backend, task)
    )


def without_validation(args: Any, kwargs: Any) -> Any:
    """Tasks are given what JSON makes of their arguments, whatever their annotations say."""
    return args, kwargs


def _calling(backend: WorkflowTaskBackend, task: Task[Any, Any]) -> Callable[..., Any]:
    @functools.wraps(task.func)
    def run(*args: Any, **kwargs: Any) -> Any:
        with backend.running(task) as result:
            value = portable(task.func(*_given(task, result, args), **kwargs))
            change(result, _return_value=value)
            return value

    return run


def _awaiting(backend: WorkflowTaskBackend, task: Task[Any, Any]) -> Callable[..., Any]:
    @functools.wraps(task.func)
    async def run(*args: Any, **kwargs: Any) -> Any:
        with backend.running(task) as result:
            value = portable(await task.func(*_given(task, result, args), **kwargs))
            change(result, _return_value=value)
            return value

    return run


def _given(task: Task[Any, Any], result: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (TaskContext(task_result=result), *args) if task.takes_context else args
