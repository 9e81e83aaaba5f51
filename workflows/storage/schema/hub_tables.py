"""The hub's own tables beside the system tables: executors, failed attempts, pauses,
declarations, and what suspended workflows wait for.

Their names begin with ``dboshub_``. The system tables do not refer to them. The DDL is the same on
both databases.
"""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS {dboshub_executor} (
    incarnation text NOT NULL PRIMARY KEY,
    executor_id text NOT NULL,
    application_name text,
    application_version text,
    hostname text,
    pid bigint,
    boot_id text,
    pid_namespace text,
    process_started text,
    protocol integer NOT NULL DEFAULT 1,
    beat bigint NOT NULL DEFAULT 0,
    lease_ms bigint NOT NULL,
    registered_at bigint NOT NULL,
    last_beat_at bigint NOT NULL,
    stopped_at bigint,
    declared_dead_at bigint,
    declared_dead_by text,
    queues text,
    slots integer,
    busy integer NOT NULL DEFAULT 0,
    functions text,
    activity text
);

CREATE TABLE IF NOT EXISTS {dboshub_attempt} (
    workflow_uuid text NOT NULL,
    function_id integer NOT NULL,
    attempt integer NOT NULL,
    error text,
    message text,
    failed_at bigint NOT NULL,
    next_at bigint,
    PRIMARY KEY (workflow_uuid, function_id, attempt)
);

CREATE TABLE IF NOT EXISTS {dboshub_queue_pause} (
    queue_name text NOT NULL PRIMARY KEY,
    paused_at bigint NOT NULL,
    paused_by text,
    reason text
);

CREATE TABLE IF NOT EXISTS {dboshub_queue_declaration} (
    queue_name text NOT NULL PRIMARY KEY,
    digest text NOT NULL,
    declared_at bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS {dboshub_wait} (
    kind text NOT NULL,
    target text NOT NULL,
    name text NOT NULL,
    workflow_uuid text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (kind, target, name, workflow_uuid)
);
CREATE INDEX IF NOT EXISTS idx_dboshub_wait_workflow
    ON {dboshub_wait} (workflow_uuid);
"""
