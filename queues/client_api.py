"""This app's share of ``DBOSClient``: queues by name."""

from __future__ import annotations

from queues.api import QueuesAPI, register
from queues.engine.directory import OnConflict
from queues.engine.queue import Queue, settings_of
from queues.engine.settings import QueueRateLimit
from workflows.engine.programs import Program
from workflows.engine.twins import durable, offer, with_twins


@with_twins
class _Calls:
    """What a client's methods do where they differ from those of ``DBOS``."""

    @durable
    def register_queue(  # noqa: PLR0913  # the public signature
        name: str,
        *,
        global_concurrency: int | None = None,
        partition_concurrency: int | None = None,
        partition_worker_concurrency: int | None = None,
        partition_limiter: QueueRateLimit | None = None,
        limiter: QueueRateLimit | None = None,
        worker_concurrency: int | None = None,
        polling_interval_sec: float = 1.0,
        on_conflict: OnConflict = "always_update",
        application_name: str | None = None,
        concurrency: int | None = None,
    ) -> Program[Queue]:
        """Create or update a queue's row, in the name of an application or of none.

        A client has no version, so by default it overwrites the row that is there.
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
        return register(settings, on_conflict, application_name)


class QueuesClient:
    """Queues, from outside."""


offer(QueuesClient, _Calls, "register_queue")
offer(QueuesClient, QueuesAPI, "retrieve_queue", "list_queues", "delete_queue")
