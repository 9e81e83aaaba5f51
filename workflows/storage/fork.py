"""Fork a workflow: a new row that replays the source up to a step and goes on from there.

The source is marked, never changed otherwise; messages are not copied, children stay shared
unless replaced.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from workflows.storage.resume import INTERNAL_QUEUE
from workflows.storage.sql import Session, Statement

# First, because it locks the source: what is copied next is one consistent history.
MARK_SOURCE = Statement(
    "UPDATE {workflow_status} SET was_forked_from = TRUE WHERE workflow_uuid = :source"
)

INSERT_FORK = Statement(
    """
    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, class_name, config_name, application_id,
        authenticated_user, authenticated_roles, assumed_role, serialization, attributes,
        application_name, application_version, queue_name, queue_partition_key,
        workflow_timeout_ms, forked_from, recovery_attempts, priority, created_at, updated_at
    )
    SELECT
        :new_id, 'ENQUEUED', name, class_name, config_name, application_id,
        authenticated_user, authenticated_roles, assumed_role, serialization, attributes,
        COALESCE(application_name, :fallback_application), :application_version, :queue,
        :partition_key, :timeout_ms, workflow_uuid, 0, 0, :now, :now
    FROM {workflow_status}
    WHERE workflow_uuid = :source
    ON CONFLICT (workflow_uuid) DO NOTHING
    """
)

COPY_INPUT = Statement(
    """
    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    SELECT :new_id, COALESCE(given.inputs, source.inputs), :now
    FROM {workflow_status} AS source
    LEFT JOIN {workflow_input} AS given ON given.workflow_uuid = source.workflow_uuid
    WHERE source.workflow_uuid = :source
    """
)

COPY_STEPS = Statement(
    postgres="""
        INSERT INTO {operation_outputs} (
            workflow_uuid, function_id, function_name, output, error, child_workflow_id,
            started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name,
            retention_timestamp
        )
        SELECT
            :new_id, step.function_id, step.function_name, step.output, step.error,
            COALESCE(CAST(:children AS jsonb) ->> step.child_workflow_id, step.child_workflow_id),
            step.started_at_epoch_ms, step.completed_at_epoch_ms, step.serialization,
            fork.application_name, :now
        FROM {operation_outputs} AS step
        JOIN {workflow_status} AS fork ON fork.workflow_uuid = :new_id
        WHERE step.workflow_uuid = :source AND step.function_id < :start_step
    """,
    sqlite="""
        INSERT INTO {operation_outputs} (
            workflow_uuid, function_id, function_name, output, error, child_workflow_id,
            started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name,
            retention_timestamp
        )
        SELECT
            :new_id, step.function_id, step.function_name, step.output, step.error,
            COALESCE(
                (SELECT value FROM json_each(:children) WHERE key = step.child_workflow_id),
                step.child_workflow_id
            ),
            step.started_at_epoch_ms, step.completed_at_epoch_ms, step.serialization,
            fork.application_name, :now
        FROM {operation_outputs} AS step
        JOIN {workflow_status} AS fork ON fork.workflow_uuid = :new_id
        WHERE step.workflow_uuid = :source AND step.function_id < :start_step
    """,
)

COPY_HISTORY = Statement(
    """
    INSERT INTO {workflow_events_history} (
        workflow_uuid, function_id, key, value, serialization
    )
    SELECT :new_id, function_id, key, value, serialization
    FROM {workflow_events_history}
    WHERE workflow_uuid = :source AND function_id < :start_step
    """
)

# Read from the fork's own history: the latest value per key as of the step forked from.
REBUILD_EVENTS = Statement(
    """
    INSERT INTO {workflow_events} (workflow_uuid, key, value, serialization)
    SELECT workflow_uuid, key, value, serialization
    FROM {workflow_events_history} AS entry
    WHERE workflow_uuid = :new_id
        AND function_id = (
            SELECT MAX(later.function_id)
            FROM {workflow_events_history} AS later
            WHERE later.workflow_uuid = :new_id AND later.key = entry.key
        )
    """
)

COPY_STREAMS = Statement(
    """
    INSERT INTO {streams} (workflow_uuid, key, value, "offset", function_id, serialization)
    SELECT :new_id, key, value, "offset", function_id, serialization
    FROM {streams}
    WHERE workflow_uuid = :source AND function_id < :start_step
    """
)

FORKED_FROM = Statement("SELECT forked_from FROM {workflow_status} WHERE workflow_uuid = :new_id")

_FORKS = """
    WITH RECURSIVE given AS (GIVEN),
    tree (root, workflow_uuid) AS (
        SELECT given.workflow_uuid, fork.workflow_uuid
        FROM given
        JOIN {workflow_status} AS fork ON fork.forked_from = given.workflow_uuid
        UNION
        SELECT tree.root, fork.workflow_uuid
        FROM tree
        JOIN {workflow_status} AS fork ON fork.forked_from = tree.workflow_uuid
    )
    SELECT root, workflow_uuid FROM tree
"""
FORKS = Statement(
    postgres=_FORKS.replace("GIVEN", "SELECT unnest(CAST(:ids AS text[])) AS workflow_uuid"),
    sqlite=_FORKS.replace("GIVEN", "SELECT value AS workflow_uuid FROM json_each(:ids)"),
)


class ForkSourceMissing(LookupError):
    """The workflow to fork from does not exist."""


class ForkIdTaken(ValueError):
    """A workflow that is no fork of this source already has the new id."""


def fork(  # noqa: PLR0913  # the public call has as many
    session: Session,
    source: str,
    *,
    new_id: str,
    start_step: int,
    application_version: str | None = None,
    queue: str | None = None,
    partition_key: str | None = None,
    replacement_children: Mapping[str, str] | None = None,
    timeout_ms: int | None = None,
    now: int,
    fallback_application: str | None = None,
) -> None:
    """Create `new_id` ENQUEUED with the steps before `start_step`; a repetition changes nothing."""
    if not session.run(MARK_SOURCE, source=source):
        raise ForkSourceMissing(source)
    created = session.run(
        INSERT_FORK,
        source=source,
        new_id=new_id,
        fallback_application=fallback_application,
        application_version=application_version,
        queue=queue or INTERNAL_QUEUE,
        partition_key=partition_key,
        timeout_ms=timeout_ms,
        now=now,
    )
    if not created:
        _expect_fork_of(session, source, new_id)
        return
    session.run(COPY_INPUT, source=source, new_id=new_id, now=now)
    if start_step > 1:
        _copy_history(session, source, new_id, start_step, replacement_children or {}, now)


def forks(session: Session, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Each of these workflows with each of its forks, and forks of forks."""
    wanted = session.ids(dict.fromkeys(ids))
    return [(root, found) for root, found in session.all(FORKS, ids=wanted)]


def _copy_history(
    session: Session,
    source: str,
    new_id: str,
    start_step: int,
    children: Mapping[str, str],
    now: int,
) -> None:
    span = {"source": source, "new_id": new_id, "start_step": start_step}
    session.run(COPY_STEPS, **span, children=json.dumps(dict(children)), now=now)
    session.run(COPY_HISTORY, **span)
    session.run(REBUILD_EVENTS, new_id=new_id)
    session.run(COPY_STREAMS, **span)


def _expect_fork_of(session: Session, source: str, new_id: str) -> None:
    # A lost reply at COMMIT is retried: the fork is already there and complete.
    row = session.one(FORKED_FROM, new_id=new_id)
    if row is None or row[0] != source:
        raise ForkIdTaken(new_id)
