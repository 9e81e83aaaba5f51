"""The awaited forms of the calls of ``DBOS``, by name, for type checkers: they are made at import.

Their parameters are those of the call without the ending; `docs/reference.md` lists both.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

Awaited = Callable[..., Coroutine[Any, Any, Any]]


class AwaitedCalls:
    """Annotations alone: nothing of this is there at run time."""

    apply_schedules_async: ClassVar[Awaited]
    backfill_schedule_async: ClassVar[Awaited]
    cancel_workflow_async: ClassVar[Awaited]
    cancel_workflows_async: ClassVar[Awaited]
    close_stream_async: ClassVar[Awaited]
    create_schedule_async: ClassVar[Awaited]
    delete_queue_async: ClassVar[Awaited]
    delete_schedule_async: ClassVar[Awaited]
    delete_workflow_async: ClassVar[Awaited]
    delete_workflows_async: ClassVar[Awaited]
    deprecate_patch_async: ClassVar[Awaited]
    enqueue_workflow_async: ClassVar[Awaited]
    enqueue_workflow_with_options_async: ClassVar[Awaited]
    export_workflow_async: ClassVar[Awaited]
    fork_from_failure_async: ClassVar[Awaited]
    fork_workflow_async: ClassVar[Awaited]
    get_all_events_async: ClassVar[Awaited]
    get_event_async: ClassVar[Awaited]
    get_latest_application_version_async: ClassVar[Awaited]
    get_metrics_async: ClassVar[Awaited]
    get_result_async: ClassVar[Awaited]
    get_schedule_async: ClassVar[Awaited]
    get_step_aggregates_async: ClassVar[Awaited]
    get_workflow_aggregates_async: ClassVar[Awaited]
    get_workflow_status_async: ClassVar[Awaited]
    import_workflow_async: ClassVar[Awaited]
    list_application_versions_async: ClassVar[Awaited]
    list_queued_workflows_async: ClassVar[Awaited]
    list_queues_async: ClassVar[Awaited]
    list_schedules_async: ClassVar[Awaited]
    list_workflow_steps_async: ClassVar[Awaited]
    list_workflows_async: ClassVar[Awaited]
    patch_async: ClassVar[Awaited]
    pause_schedule_async: ClassVar[Awaited]
    read_stream_offset_async: ClassVar[Awaited]
    recv_async: ClassVar[Awaited]
    register_queue_async: ClassVar[Awaited]
    resume_schedule_async: ClassVar[Awaited]
    resume_workflow_async: ClassVar[Awaited]
    resume_workflows_async: ClassVar[Awaited]
    retrieve_queue_async: ClassVar[Awaited]
    retrieve_workflow_async: ClassVar[Awaited]
    rewind_workflow_async: ClassVar[Awaited]
    run_step_async: ClassVar[Awaited]
    send_async: ClassVar[Awaited]
    send_bulk_async: ClassVar[Awaited]
    set_event_async: ClassVar[Awaited]
    set_latest_application_version_async: ClassVar[Awaited]
    set_workflow_delay_async: ClassVar[Awaited]
    sleep_async: ClassVar[Awaited]
    start_workflow_async: ClassVar[Awaited]
    trigger_schedule_async: ClassVar[Awaited]
    update_workflow_attributes_async: ClassVar[Awaited]
    wait_first_async: ClassVar[Awaited]
    write_stream_async: ClassVar[Awaited]
