"""The public class ``Queue``: a name to enqueue on, and the limits of its row.

Constructed in code it declares a queue; ``DBOS.register_queue`` and its kin return it, too.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from queues.engine.directory import directory
from queues.engine.settings import QueueRateLimit, QueueSettings, RateLimit
from workflows.engine.current import OUTSIDER, Outsider, engine, within
from workflows.engine.errors import DBOSException
from workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from workflows.engine.options import OPTIONS
from workflows.engine.programs import Program, awaitable, blocking
from workflows.engine.running import enqueue as enqueue_named
from workflows.engine.starting import Naming


class Queue:
    """A queue by name. Each limit read comes from the row; each one set takes effect at once.

    Besides the properties there are, for each of them, ``set_<name>``, ``set_<name>_async`` and
    ``get_<name>_async``.
    """

    def __init__(  # noqa: PLR0913  # the public call has as many
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
        """Declare a queue; with `partition_queue` its limits are those of each partition.

        `priority_enabled` has no effect: every queue orders by priority.
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
        self._outsider: Outsider | None = None
        directory.declare(per_partition(settings) if partition_queue else settings)

    def enqueue(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> WorkflowHandle[Any]:
        """Enqueue a workflow or a step; returns a handle once its row is durable."""
        return WorkflowHandle(_enqueue_blocking(self, func, args, kwargs))

    async def enqueue_async(
        self, func: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> WorkflowHandleAsync[Any]:
        """Do the same without blocking."""
        return WorkflowHandleAsync(await _enqueue_awaitable(self, func, args, kwargs))

    def __repr__(self) -> str:
        return f"Queue({self.name!r})"

    def __getattr__(self, attribute: str) -> Any:
        raise AttributeError(f"a Queue has no attribute {attribute!r}")


def queue_named(name: str) -> Queue:
    """A queue that is a row already."""
    queue = Queue.__new__(Queue)
    queue.name = name
    queue._needs_key = False
    queue._outsider = OUTSIDER.get()  # a client's queue reads and writes through that client
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
    """Settings from public arguments. Raises ValueError for what no queue may have."""
    if concurrency is not None and global_concurrency is not None:
        raise ValueError(
            "concurrency is deprecated in favor of global_concurrency; set only one of them"
        )
    return QueueSettings(
        name=name,
        concurrency=global_concurrency if concurrency is None else concurrency,
        limiter=RateLimit.of(limiter),
        partition_limiter=RateLimit.of(partition_limiter),
        **limits,
    ).validate()


def per_partition(settings: QueueSettings) -> QueueSettings:
    """Make queue-wide limits those of each partition, as a 2.x declaration means them."""
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
    """Enqueue a registered function on a queue, which may belong to another process."""
    launched = engine()
    target = launched.registry.target(func)
    return enqueue_named(launched, Naming.of(target), queue_name, args, kwargs)


def _enqueue(
    queue: Queue, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Program[str]:
    if queue._needs_key and OPTIONS.get().partition_key is None:
        raise DBOSException(
            f"queue {queue.name} is partitioned: enqueue within "
            "SetEnqueueOptions(queue_partition_key=…)"
        )
    return enqueue_on(queue.name, func, args, kwargs)


_enqueue.__name__ = "enqueue"
_enqueue_blocking = blocking(_enqueue)
_enqueue_awaitable = awaitable(_enqueue)


def _read(queue: Queue, field: str) -> Any:
    """One setting, from the row, or as declared while there is none yet."""
    if not directory.is_open:
        settings = directory.declared(queue.name)
    else:
        settings = directory.table.retrieve(queue.name)
    if settings is None:
        raise DBOSException(f"Queue {queue.name} not found in the database")
    value = getattr(settings, field)
    return value.public() if isinstance(value, RateLimit) else value


def _write(queue: Queue, field: str, value: Any) -> None:
    table = directory.table
    settings = table.retrieve(queue.name)
    if settings is not None:
        if field.endswith("limiter"):
            value = RateLimit.of(value)
        if table.update(replace(settings, **{field: value}).validate()):
            return
    raise DBOSException(f"Queue {queue.name} not found in the database")


def through(call: Callable[..., Any]) -> Callable[..., Any]:
    """Call within the client that a queue came from, if it came from one."""

    @functools.wraps(call)
    def calls(self: Queue, *args: Any) -> Any:
        with within(self._outsider):
            return call(self, *args)

    @functools.wraps(call)
    async def awaits(self: Queue, *args: Any) -> Any:
        with within(self._outsider):
            return await call(self, *args)

    return awaits if inspect.iscoroutinefunction(call) else calls


def _offer(name: str, field: str) -> None:
    """Give ``Queue`` a property and its writers and async twins."""

    def reading(self: Queue) -> Program[Any]:
        return (yield engine().query(lambda: _read(self, field)))

    def writing(self: Queue, value: Any) -> Program[None]:
        yield engine().query(lambda: _write(self, field, value))

    reading.__name__, writing.__name__ = f"get_{name}", f"set_{name}"

    def read(self: Queue) -> Any:
        with within(self._outsider):
            return _read(self, field)

    setattr(Queue, name, property(read, doc=f"``{name}`` of the row."))
    setattr(Queue, f"get_{name}_async", through(awaitable(reading)))
    setattr(Queue, f"set_{name}", through(blocking(writing)))
    setattr(Queue, f"set_{name}_async", through(awaitable(writing)))


for _name in (
    *("concurrency", "worker_concurrency", "limiter", "polling_interval_sec"),
    *("partition_concurrency", "partition_worker_concurrency", "partition_limiter"),
):
    _offer(_name, _name)
_offer("global_concurrency", "concurrency")
