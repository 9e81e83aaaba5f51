"""SQL functions and the trigger of schema 125, by which programs without an SDK enqueue and send.

Signatures, errors and effects are those of DBOS libraries. Each function sets its search_path, so
that a caller's objects cannot replace those that it names.
"""

from __future__ import annotations

ENQUEUE_WORKFLOW = """
CREATE OR REPLACE FUNCTION {enqueue_workflow}(
    workflow_name text,
    queue_name text,
    positional_args json[] DEFAULT ARRAY[]::json[],
    named_args json DEFAULT '{}'::json,
    class_name text DEFAULT NULL,
    config_name text DEFAULT NULL,
    workflow_id text DEFAULT NULL,
    app_version text DEFAULT NULL,
    timeout_ms bigint DEFAULT NULL,
    deadline_epoch_ms bigint DEFAULT NULL,
    deduplication_id text DEFAULT NULL,
    priority integer DEFAULT NULL,
    queue_partition_key text DEFAULT NULL,
    authenticated_user text DEFAULT NULL,
    authenticated_roles text DEFAULT NULL,
    delay_until_epoch_ms bigint DEFAULT NULL,
    application_name text DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $enqueue$
DECLARE
    chosen_id text := coalesce(workflow_id, gen_random_uuid()::text);
    now_ms bigint := extract(epoch FROM now()) * 1000;
BEGIN
    IF coalesce(workflow_name, '') = '' THEN
        RAISE EXCEPTION 'Workflow name cannot be null or empty';
    ELSIF coalesce(queue_name, '') = '' THEN
        RAISE EXCEPTION 'Queue name cannot be null or empty';
    ELSIF json_typeof(named_args) <> 'object' THEN
        RAISE EXCEPTION 'Named args must be a JSON object';
    ELSIF workflow_id = '' THEN
        RAISE EXCEPTION 'Workflow ID cannot be an empty string if provided.';
    ELSIF delay_until_epoch_ms < 0 THEN
        RAISE EXCEPTION 'delay_until_epoch_ms must be >= 0';
    END IF;

    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, class_name, config_name,
        queue_name, queue_partition_key, deduplication_id, priority,
        application_name, application_version, authenticated_user, authenticated_roles,
        workflow_timeout_ms, workflow_deadline_epoch_ms, delay_until_epoch_ms,
        recovery_attempts, owner_xid, serialization, created_at, updated_at
    ) VALUES (
        chosen_id,
        CASE WHEN delay_until_epoch_ms IS NULL THEN 'ENQUEUED' ELSE 'DELAYED' END,
        workflow_name, class_name, config_name,
        queue_name, queue_partition_key, deduplication_id, coalesce(priority, 0),
        application_name, app_version, authenticated_user, authenticated_roles,
        timeout_ms, deadline_epoch_ms, delay_until_epoch_ms,
        0, gen_random_uuid()::text, 'portable_json', now_ms, now_ms
    )
    ON CONFLICT (workflow_uuid) DO UPDATE SET updated_at = excluded.updated_at;

    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    VALUES (
        chosen_id,
        json_build_object('positionalArgs', positional_args, 'namedArgs', named_args)::text,
        now_ms
    )
    ON CONFLICT (workflow_uuid) DO NOTHING;

    RETURN chosen_id;
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'DBOS queue duplicated'
        USING ERRCODE = 'unique_violation',
        DETAIL = format(
            'Workflow %s with queue %s and deduplication ID %s already exists',
            chosen_id, queue_name, deduplication_id
        );
END;
$enqueue$;
"""

SEND_MESSAGE = """
CREATE OR REPLACE FUNCTION {send_message}(
    destination_id text,
    message json,
    topic text DEFAULT NULL,
    message_id text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $send$
BEGIN
    INSERT INTO {notifications} (
        message_uuid, destination_uuid, topic, message, serialization
    ) VALUES (
        coalesce(message_id, gen_random_uuid()::text),
        destination_id,
        coalesce(topic, '__null__topic__'),
        message,
        'portable_json'
    )
    ON CONFLICT (message_uuid) DO NOTHING;
EXCEPTION WHEN foreign_key_violation THEN
    RAISE EXCEPTION 'DBOS non-existent workflow'
        USING ERRCODE = 'foreign_key_violation',
        DETAIL = format('Destination workflow %s does not exist', destination_id);
END;
$send$;
"""

ANNOUNCE_MESSAGES = """
CREATE OR REPLACE FUNCTION {notifications_function}() RETURNS trigger
LANGUAGE plpgsql
SET search_path TO pg_catalog, pg_temp
AS $announce$
BEGIN
    PERFORM pg_notify(
        'dbos_notifications_channel', NEW.destination_uuid || '::' || NEW.topic
    );
    RETURN NEW;
END;
$announce$;

CREATE OR REPLACE TRIGGER dbos_notifications_trigger
    AFTER INSERT ON {notifications}
    FOR EACH ROW EXECUTE FUNCTION {notifications_function}();
"""

FUNCTIONS = ENQUEUE_WORKFLOW + SEND_MESSAGE + ANNOUNCE_MESSAGES
