"""The columns that engine and pages use, by table: any schema version must have them.

Columns that nothing reads (``request``) are left out on purpose.
"""

from __future__ import annotations

_SERIALIZED = ("value", "serialization")

SYSTEM_COLUMNS: dict[str, tuple[str, ...]] = {
    "workflow_status": (
        *("workflow_uuid", "status", "name", "class_name", "config_name"),
        *("authenticated_user", "assumed_role", "authenticated_roles"),
        *("inputs", "output", "error", "serialization", "attributes"),
        *("executor_id", "application_name", "application_version", "application_id"),
        *("created_at", "updated_at", "started_at_epoch_ms", "completed_at"),
        *("workflow_timeout_ms", "workflow_deadline_epoch_ms", "delay_until_epoch_ms"),
        *("queue_name", "deduplication_id", "priority", "queue_partition_key", "rate_limited"),
        *("recovery_attempts", "owner_xid", "creator_xid"),
        *("parent_workflow_id", "forked_from", "was_forked_from", "schedule_name"),
        *("debounce_deadline_epoch_ms", "is_debounced"),
    ),
    "workflow_input": ("workflow_uuid", "inputs", "retention_timestamp"),
    "workflow_output": ("workflow_uuid", "output", "error", "retention_timestamp"),
    "operation_outputs": (
        *("workflow_uuid", "function_id", "function_name", "output", "error", "serialization"),
        *("child_workflow_id", "started_at_epoch_ms", "completed_at_epoch_ms"),
        *("application_name", "retention_timestamp"),
    ),
    "workflow_events": ("workflow_uuid", "key", *_SERIALIZED),
    "workflow_events_history": ("workflow_uuid", "function_id", "key", *_SERIALIZED),
    "streams": ("workflow_uuid", "key", "offset", "function_id", *_SERIALIZED),
    "notifications": (
        *("message_uuid", "destination_uuid", "topic", "message", "serialization"),
        *("created_at_epoch_ms", "consumed", "consumed_by_function_id"),
    ),
    "queues": (
        *("queue_id", "name", "concurrency", "worker_concurrency", "application_name"),
        *("rate_limit_max", "rate_limit_period_sec", "priority_enabled", "polling_interval_sec"),
        *("partition_queue", "partition_concurrency", "partition_worker_concurrency"),
        *("partition_rate_limit_max", "partition_rate_limit_period_sec"),
        *("created_at", "updated_at"),
    ),
    "workflow_schedules": (
        *("schedule_id", "schedule_name", "workflow_name", "workflow_class_name"),
        *("schedule", "cron_timezone", "status", "context", "last_fired_at"),
        *("automatic_backfill", "queue_name", "application_name"),
    ),
    "application_versions": (
        *("version_id", "version_name", "version_timestamp", "created_at", "application_name"),
    ),
}

HUB_TABLES = (
    *("dboshub_executor", "dboshub_attempt"),
    *("dboshub_queue_pause", "dboshub_queue_declaration"),
)
