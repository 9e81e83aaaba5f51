"""The part of ``DBOSClient`` for queues."""

from __future__ import annotations

from dboshub.queues.api.facade import QueuesAPI, register
from dboshub.queues.engine.ports import OnConflict
from dboshub.queues.engine.queue import Queue, settings_of
from dboshub.queues.engine.settings import QueueRateLimit
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.sync_async import async_form, client_method, sync_form


class _Calls:
    """The methods of a client that differ from those of ``DBOS``."""

    @sync_form
    def register_queue(
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
        """Create or update a queue's row, for an application or without an owner.

        A client has no version, so by default it overwrites the row that is there. Raises
        DBOSException for "update_if_latest_version".
        """
        if on_conflict == "update_if_latest_version":
            raise DBOSException(
                f"DBOSClient.register_queue does not support on_conflict={on_conflict!r} because "
                "clients are not associated with an application version. Use 'always_update' or "
                "'never_update'."
            )
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

    register_queue_async = async_form(register_queue)


class QueuesClient:
    """The methods of ``DBOSClient`` for queues."""

    register_queue = client_method(_Calls.register_queue)
    register_queue_async = client_method(_Calls.register_queue_async)

    retrieve_queue = client_method(QueuesAPI.retrieve_queue)
    retrieve_queue_async = client_method(QueuesAPI.retrieve_queue_async)
    list_queues = client_method(QueuesAPI.list_queues)
    list_queues_async = client_method(QueuesAPI.list_queues_async)
    delete_queue = client_method(QueuesAPI.delete_queue)
    delete_queue_async = client_method(QueuesAPI.delete_queue_async)
