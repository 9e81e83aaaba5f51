"""The public class ``Queue``: the name of a queue, and the limits in its row.

To construct one declares the queue; ``DBOS.register_queue`` and other calls return one.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal, ParamSpec, TypeVar, overload

from dboshub.queues.engine.queue_registry import queue_registry
from dboshub.queues.engine.row_settings import Setting
from dboshub.queues.engine.settings import QueueRateLimit, QueueSettings, RateLimit
from dboshub.workflows.engine.context import numbered_refusal
from dboshub.workflows.engine.current_engine import CLIENT_CONTEXT, ClientContext, engine
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.options import OPTIONS, StartOptions
from dboshub.workflows.engine.programs import Program, awaitable, refuse_in_loop, run, run_async
from dboshub.workflows.engine.runtime.bulk_answers import Answers
from dboshub.workflows.engine.runtime.bulk_starting import enqueue_all
from dboshub.workflows.engine.runtime.enqueueing import enqueue as start_enqueued
from dboshub.workflows.engine.runtime.start_request import FunctionReference
from dboshub.workflows.engine.runtime.starting import in_this_context
from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
from dboshub.workflows.engine.sync_async import as_async_handles, as_handles

P = ParamSpec("P")
R = TypeVar("R")


class Queue:
    """A queue by name. A limit is read from the queue's row, and setting one changes the row.

    For each property there are also ``set_<name>``, ``set_<name>_async`` and ``get_<name>_async``.
    """

    concurrency = Setting[int | None]("concurrency")
    get_concurrency_async = concurrency.reader_async()
    set_concurrency = concurrency.writer()
    set_concurrency_async = concurrency.writer_async()

    global_concurrency = Setting[int | None]("global_concurrency", "concurrency")
    get_global_concurrency_async = global_concurrency.reader_async()
    set_global_concurrency = global_concurrency.writer()
    set_global_concurrency_async = global_concurrency.writer_async()

    worker_concurrency = Setting[int | None]("worker_concurrency")
    get_worker_concurrency_async = worker_concurrency.reader_async()
    set_worker_concurrency = worker_concurrency.writer()
    set_worker_concurrency_async = worker_concurrency.writer_async()

    limiter = Setting[QueueRateLimit | None]("limiter")
    get_limiter_async = limiter.reader_async()
    set_limiter = limiter.writer()
    set_limiter_async = limiter.writer_async()

    polling_interval_sec = Setting[float]("polling_interval_sec")
    get_polling_interval_sec_async = polling_interval_sec.reader_async()
    set_polling_interval_sec = polling_interval_sec.writer()
    set_polling_interval_sec_async = polling_interval_sec.writer_async()

    partition_concurrency = Setting[int | None]("partition_concurrency")
    get_partition_concurrency_async = partition_concurrency.reader_async()
    set_partition_concurrency = partition_concurrency.writer()
    set_partition_concurrency_async = partition_concurrency.writer_async()

    partition_worker_concurrency = Setting[int | None]("partition_worker_concurrency")
    get_partition_worker_concurrency_async = partition_worker_concurrency.reader_async()
    set_partition_worker_concurrency = partition_worker_concurrency.writer()
    set_partition_worker_concurrency_async = partition_worker_concurrency.writer_async()

    application_name = Setting[str | None]("application_name")

    partition_limiter = Setting[QueueRateLimit | None]("partition_limiter")
    get_partition_limiter_async = partition_limiter.reader_async()
    set_partition_limiter = partition_limiter.writer()
    set_partition_limiter_async = partition_limiter.writer_async()

    def __init__(
        self,
        name: str,
        concurrency: int | None = None,
        limiter: QueueRateLimit | None = None,
        *,
        worker_concurrency: int | None = None,
        global_concurrency: int | None = None,
        partition_concurrency: int | None = None,
        partition_worker_concurrency: int | None = None,
        partition_limiter: QueueRateLimit | None = None,
        priority_enabled: bool = False,
        partition_queue: bool = False,
        polling_interval_sec: float = 1.0,
    ) -> None:
        """Declare a queue. With `partition_queue` its limits apply to each partition.

        `priority_enabled` has no effect, because every queue orders by priority.
        `polling_interval_sec` is in seconds. Raises ValueError for limits that contradict each
        other.
        """
        settings = settings_of(
            name,
            concurrency=concurrency,
            limiter=limiter,
            worker_concurrency=worker_concurrency,
            global_concurrency=global_concurrency,
            partition_concurrency=partition_concurrency,
            partition_worker_concurrency=partition_worker_concurrency,
            partition_limiter=partition_limiter,
            polling_interval_sec=polling_interval_sec,
        )
        self.name = name
        self._needs_key = partition_queue
        self._client_context: ClientContext | None = None
        queue_registry.declare(per_partition(settings) if partition_queue else settings)

    @overload
    def enqueue(
        self, func: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]: ...
    @overload
    def enqueue(
        self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandle[R]: ...
    def enqueue(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> WorkflowHandle[Any]:
        """Enqueue a workflow or a step; return its handle after its row is durable."""
        return WorkflowHandle(run(_enqueue(self, func, args, kwargs)))

    @overload
    async def enqueue_async(
        self, func: Callable[P, Coroutine[Any, Any, R]], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandleAsync[R]: ...
    @overload
    async def enqueue_async(
        self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> WorkflowHandleAsync[R]: ...
    async def enqueue_async(
        self, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> WorkflowHandleAsync[Any]:
        """Do the same without blocking."""
        return WorkflowHandleAsync(await _enqueue_awaitable(self, func, args, kwargs))

    @overload
    def enqueue_workflows(
        self, calls: Iterable[WorkflowCall[R]], *, atomic: Literal[True]
    ) -> list[WorkflowHandle[R]]: ...
    @overload
    def enqueue_workflows(
        self, calls: Iterable[WorkflowCall[R]], *, atomic: bool = False
    ) -> list[WorkflowHandle[R] | Exception]: ...
    def enqueue_workflows(
        self, calls: Iterable[WorkflowCall[Any]], *, atomic: bool = False
    ) -> Sequence[WorkflowHandle[Any] | Exception]:
        """Enqueue many workflows; see ``DBOS.enqueue_workflows``."""
        refuse_in_loop("enqueue_workflows")
        return as_handles(run(_enqueue_all(self, calls, is_atomic=atomic)))

    @overload
    async def enqueue_workflows_async(
        self, calls: Iterable[WorkflowCall[R]], *, atomic: Literal[True]
    ) -> list[WorkflowHandleAsync[R]]: ...
    @overload
    async def enqueue_workflows_async(
        self, calls: Iterable[WorkflowCall[R]], *, atomic: bool = False
    ) -> list[WorkflowHandleAsync[R] | Exception]: ...
    async def enqueue_workflows_async(
        self, calls: Iterable[WorkflowCall[Any]], *, atomic: bool = False
    ) -> Sequence[WorkflowHandleAsync[Any] | Exception]:
        """Do the same without blocking."""
        return as_async_handles(await run_async(_enqueue_all(self, calls, is_atomic=atomic)))

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"


def queue_named(name: str) -> Queue:
    """A queue that has a row."""
    queue = Queue.__new__(Queue)
    queue.name = name
    queue._needs_key = False
    # A queue that a client returned reads and writes through that client.
    queue._client_context = CLIENT_CONTEXT.get()
    return queue


def settings_of(
    name: str,
    *,
    limiter: QueueRateLimit | None = None,
    partition_limiter: QueueRateLimit | None = None,
    concurrency: int | None = None,
    global_concurrency: int | None = None,
    **limits: Any,
) -> QueueSettings:
    """Settings from public arguments. Raises ValueError for settings that no queue may have."""
    if concurrency is not None and global_concurrency is not None:
        raise ValueError(
            "concurrency is deprecated in favor of global_concurrency; set only one of them"
        )
    return QueueSettings(
        name=name,
        concurrency=global_concurrency if concurrency is None else concurrency,
        limiter=RateLimit.of(limiter),
        partition_limiter=RateLimit.of(partition_limiter, "partition_limiter"),
        **limits,
    ).validate()


def per_partition(settings: QueueSettings) -> QueueSettings:
    """The settings with the queue's limits applied to each partition, as in DBOS 2.x."""
    return replace(
        settings,
        concurrency=None,
        worker_concurrency=None,
        limiter=None,
        partition_concurrency=settings.partition_concurrency or settings.concurrency,
        partition_worker_concurrency=(
            settings.partition_worker_concurrency or settings.worker_concurrency
        ),
        partition_limiter=settings.partition_limiter or settings.limiter,
    ).validate()


def enqueue_on(
    queue_name: str, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    """Enqueue a registered function on a queue, which another process may serve."""
    launched = engine()
    target, args = launched.registry.target_of_call(func, args)
    parameters = in_this_context(FunctionReference.of(target), queue_name)
    return start_enqueued(launched, parameters, args, kwargs)


def _enqueue(
    queue: Queue, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    _expect_no_client(queue)
    _expect_key(queue, OPTIONS.get())
    return enqueue_on(queue.name, func, args, kwargs)


def _enqueue_all(
    queue: Queue, calls: Iterable[WorkflowCall[Any]], *, is_atomic: bool
) -> Program[Answers]:
    _expect_no_client(queue)
    expect_key = partial(_expect_key, queue)
    return enqueue_all(
        engine(), queue.name, [*calls], OPTIONS.get(), expect_key, is_atomic=is_atomic
    )


def _expect_no_client(queue: Queue) -> None:
    if queue._client_context is not None:
        raise DBOSException(
            f"Cannot enqueue on queue {queue.name} from a client-bound Queue object. Use "
            "DBOSClient.enqueue instead."
        )


def _expect_key(queue: Queue, options: StartOptions) -> None:
    if queue._needs_key and options.partition_key is None:
        raise DBOSException(
            f"queue {queue.name} is partitioned: enqueue within "
            "SetEnqueueOptions(queue_partition_key=…)"
        )


_enqueue.__name__ = "enqueue"
_enqueue_awaitable = awaitable(numbered_refusal(_enqueue))
