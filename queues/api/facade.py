"""The part of the public class ``DBOS`` for queues.

A method that returns a program has two forms: ``name`` blocks, ``name_async`` is awaited.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from dboshub.queues.engine.kafka import consumers
from dboshub.queues.engine.ports import OnConflict
from dboshub.queues.engine.queue import Queue, enqueue_on, queue_named, settings_of
from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.engine.settings import QueueRateLimit, QueueSettings
from dboshub.workflows.engine.context import numbered_refusal
from dboshub.workflows.engine.current_engine import engine, is_launched
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.options import OPTIONS
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.bulk_answers import Answers
from dboshub.workflows.engine.runtime.bulk_starting import enqueue_all
from dboshub.workflows.engine.runtime.call_options import EnqueueOptions, checked_parameters
from dboshub.workflows.engine.runtime.enqueueing import enqueue_as
from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
from dboshub.workflows.engine.sync_async import (
    async_form,
    async_handle_form,
    sync_form,
    sync_handle_form,
)
from dboshub.workflows.engine.typed_bulk_calls import async_enqueue_all_form, enqueue_all_form
from dboshub.workflows.engine.typed_calls import async_enqueue_form, enqueue_form


class QueuesAPI:
    """Register queues, and enqueue by a queue's name."""

    _listened: ClassVar[tuple[str, ...] | None] = None

    @sync_form
    def register_queue(
        name: str,
        *,
        worker_concurrency: int | None = None,
        global_concurrency: int | None = None,
        partition_concurrency: int | None = None,
        partition_worker_concurrency: int | None = None,
        partition_limiter: QueueRateLimit | None = None,
        limiter: QueueRateLimit | None = None,
        polling_interval_sec: float = 1.0,
        on_conflict: OnConflict = "update_if_latest_version",
        concurrency: int | None = None,
    ) -> Program[Queue]:
        """Create or update a queue's row. Raises ValueError for limits that contradict each other.

        `on_conflict` decides about an existing row: by default only a process that runs the latest
        version of the application overwrites it. `polling_interval_sec` is in seconds.
        """
        settings = settings_of(
            name,
            worker_concurrency=worker_concurrency,
            global_concurrency=global_concurrency,
            partition_concurrency=partition_concurrency,
            partition_worker_concurrency=partition_worker_concurrency,
            partition_limiter=partition_limiter,
            limiter=limiter,
            polling_interval_sec=polling_interval_sec,
            concurrency=concurrency,
        )
        return register(settings, on_conflict)

    register_queue_async = async_form(register_queue)

    @sync_form
    def retrieve_queue(name: str) -> Program[Queue | None]:
        """A queue by name, or None."""
        return _retrieve(name)

    retrieve_queue_async = async_form(retrieve_queue)

    @sync_form
    def list_queues(*, application_name: str | list[str] | None = None) -> Program[list[Queue]]:
        """The queues of this application, or of the given ones, and those without an owner."""
        names = [application_name] if isinstance(application_name, str) else application_name
        return _list(names)

    list_queues_async = async_form(list_queues)

    @sync_form
    def delete_queue(name: str) -> Program[None]:
        """Delete a queue's row. Its enqueued workflows wait until it is registered again."""
        return _delete(name)

    delete_queue_async = async_form(delete_queue)

    @sync_handle_form
    @numbered_refusal
    def enqueue_workflow_with_options(
        options: EnqueueOptions, *args: Any, **kwargs: Any
    ) -> Program[str]:
        """Enqueue by names only; the function need not exist here. In a workflow it is a child.

        The options come before those of the blocks around the call.
        """
        return enqueue_as(engine(), checked_parameters(options, OPTIONS.get()), args, kwargs)

    enqueue_workflow_with_options_async = async_handle_form(enqueue_workflow_with_options)

    @enqueue_form
    def enqueue_workflow(
        queue_name: str, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Program[str]:
        """Enqueue a workflow or a step by queue name; the queue need not be registered here."""
        return enqueue_on(queue_name, func, args, kwargs)

    enqueue_workflow_async = async_enqueue_form(enqueue_workflow)

    @enqueue_all_form
    def enqueue_workflows(
        queue_name: str, calls: Iterable[WorkflowCall[Any]], *, atomic: bool = False
    ) -> Program[Answers]:
        """Enqueue many workflows by a few statements; returns a handle or an error for each.

        With `atomic` all are enqueued in one transaction; if one is refused, none is, and its
        error is raised. In a workflow each is a child with a step of its own.
        """
        return enqueue_all(engine(), queue_name, [*calls], OPTIONS.get(), is_atomic=atomic)

    enqueue_workflows_async = async_enqueue_all_form(enqueue_workflows)

    @classmethod
    def listen_queues(cls, queues: Sequence[Queue | str]) -> None:
        """Serve only these queues and the internal one here. Call it once, before launch.

        Without it every queue of the application is served, with ``[]`` only the internal one.
        Raises DBOSException for a second call, and after launch.
        """
        if is_launched():
            raise DBOSException("listen_queues called after DBOS is launched")
        if QueuesAPI._listened is not None:
            raise DBOSException("listen_queues called more than once: name all queues in one call")
        QueuesAPI._listened = tuple(
            each.name if isinstance(each, Queue) else each for each in queues
        )

    @classmethod
    def listened_queues(cls) -> tuple[str, ...] | None:
        """The names given to ``listen_queues``; None for every queue."""
        return QueuesAPI._listened

    @classmethod
    def forget_queues(cls, *, declared: bool = False) -> None:
        """Clear the names of ``listen_queues`` and, if `declared`, all declarations."""
        QueuesAPI._listened = None
        if declared:
            queue_registry.clear()
            consumers.clear()


def register(
    settings: QueueSettings, on_conflict: OnConflict, application: str | None = None
) -> Program[Queue]:
    """Register a queue for an application, by default the caller's."""
    table = queue_registry.table
    yield engine().change(lambda: table.register(settings, on_conflict, application))
    return queue_named(settings.name)


def _retrieve(name: str) -> Program[Queue | None]:
    table = queue_registry.table
    found = yield engine().query(lambda: table.retrieve(name))
    return None if found is None else queue_named(name)


def _list(applications: list[str] | None) -> Program[list[Queue]]:
    table = queue_registry.table
    found = yield engine().query(lambda: table.list_queues(applications))
    return [queue_named(each.name) for each in found]


def _delete(name: str) -> Program[None]:
    table = queue_registry.table
    yield engine().change(lambda: table.delete(name))
