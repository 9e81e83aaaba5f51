"""Fork workflows: new workflows that replay their sources' steps before a given one.

A source is marked as forked from and not changed otherwise. Messages are not copied. A fork shares
the children of its source unless they are replaced. Any number of forks takes the same number of
statements.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Unpack

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import INTERNAL_QUEUE, ForkOptions
from dboshub.workflows.storage.fragments import locked_ids
from dboshub.workflows.storage.sql import Session, Statement


@dataclass(frozen=True, slots=True)
class Fork:
    """One fork to create: its source, the first step to execute, and its queue."""

    source: str
    new_id: str
    start_step: int
    queue: str
    partition_key: str | None = None


def _for_each(text: str) -> Statement:
    """A statement that reads the requested forks as the table `given`."""
    columns = "source text, new_id text, start_step integer, queue text, partition_key text"
    names = [column.split()[0] for column in columns.split(", ")]
    extracted = ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in names)
    return Statement(
        postgres="WITH given AS (SELECT * FROM jsonb_to_recordset(CAST(:forks AS jsonb))"
        f" AS fork ({columns})) {text}",
        sqlite=f"WITH given AS (SELECT {extracted} FROM json_each(:forks)) {text}".replace(
            "CAST(:children AS jsonb) ->> step.child_workflow_id",
            "(SELECT value FROM json_each(:children) WHERE key = step.child_workflow_id)",
        ),
    )


# It comes first, because it locks the sources: the statements after it copy a consistent history.
MARK_SOURCES = Statement(
    f"""
    UPDATE {{workflow_status}}
    SET was_forked_from = TRUE
    WHERE {locked_ids()}
    RETURNING workflow_uuid
    """
)

INSERT_FORKS = _for_each(
    """
    INSERT INTO {workflow_status} (
        workflow_uuid, status, name, class_name, config_name, application_id,
        authenticated_user, authenticated_roles, assumed_role, serialization, attributes,
        application_name, application_version, queue_name, queue_partition_key,
        workflow_timeout_ms, forked_from, recovery_attempts, priority, created_at, updated_at
    )
    SELECT
        given.new_id, 'ENQUEUED', name, class_name, config_name, application_id,
        authenticated_user, authenticated_roles, assumed_role, serialization, attributes,
        COALESCE(application_name, :fallback_application), :application_version, given.queue,
        given.partition_key, :timeout_ms, workflow_uuid, 0, 0, :now, :now
    FROM given
    JOIN {workflow_status} ON workflow_uuid = given.source
    WHERE TRUE
    ON CONFLICT (workflow_uuid) DO NOTHING
    RETURNING workflow_uuid
    """
)

COPY_INPUTS = _for_each(
    """
    INSERT INTO {workflow_input} (workflow_uuid, inputs, retention_timestamp)
    SELECT given.new_id, COALESCE(apart.inputs, source.inputs), :now
    FROM given
    JOIN {workflow_status} AS source ON source.workflow_uuid = given.source
    LEFT JOIN {workflow_input} AS apart ON apart.workflow_uuid = given.source
    """
)

COPY_STEPS = _for_each(
    """
    INSERT INTO {operation_outputs} (
        workflow_uuid, function_id, function_name, output, error, child_workflow_id,
        started_at_epoch_ms, completed_at_epoch_ms, serialization, application_name,
        retention_timestamp
    )
    SELECT
        given.new_id, step.function_id, step.function_name, step.output, step.error,
        COALESCE(CAST(:children AS jsonb) ->> step.child_workflow_id, step.child_workflow_id),
        step.started_at_epoch_ms, step.completed_at_epoch_ms, step.serialization,
        fork.application_name, :now
    FROM given
    JOIN {operation_outputs} AS step
        ON step.workflow_uuid = given.source AND step.function_id < given.start_step
    JOIN {workflow_status} AS fork ON fork.workflow_uuid = given.new_id
    """
)

COPY_HISTORIES = _for_each(
    """
    INSERT INTO {workflow_events_history} (
        workflow_uuid, function_id, key, value, serialization
    )
    SELECT given.new_id, entry.function_id, entry.key, entry.value, entry.serialization
    FROM given
    JOIN {workflow_events_history} AS entry
        ON entry.workflow_uuid = given.source AND entry.function_id < given.start_step
    """
)

# The latest value of each key in the copied history.
REBUILD_EVENTS = _for_each(
    """
    INSERT INTO {workflow_events} (workflow_uuid, key, value, serialization)
    SELECT entry.workflow_uuid, entry.key, entry.value, entry.serialization
    FROM given
    JOIN {workflow_events_history} AS entry ON entry.workflow_uuid = given.new_id
    WHERE entry.function_id = (
        SELECT MAX(later.function_id)
        FROM {workflow_events_history} AS later
        WHERE later.workflow_uuid = given.new_id AND later.key = entry.key
    )
    """
)

COPY_STREAMS = _for_each(
    """
    INSERT INTO {streams} (workflow_uuid, key, value, "offset", function_id, serialization)
    SELECT given.new_id, entry.key, entry.value, entry."offset", entry.function_id,
        entry.serialization
    FROM given
    JOIN {streams} AS entry
        ON entry.workflow_uuid = given.source AND entry.function_id < given.start_step
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


class ForkIdTaken(DBOSException):
    """The new id belongs to a workflow that is no fork of this source."""


def fork(
    session: Session,
    source: str,
    *,
    new_id: str,
    start_step: int,
    **options: Unpack[ForkOptions],
) -> None:
    """Create `new_id` ENQUEUED with the steps before `start_step`; a repetition changes nothing.

    Raises ForkSourceMissing and ForkIdTaken.
    """
    queue = options.get("queue") or INTERNAL_QUEUE
    fork_many(
        session,
        [Fork(source, new_id, start_step, queue, options.get("partition_key"))],
        application_version=options.get("application_version"),
        replacement_children=options.get("replacement_children"),
        timeout_ms=options.get("timeout_ms"),
        now=options["now"],
        fallback_application=options.get("fallback_application"),
    )


def fork_many(
    session: Session,
    wanted: Sequence[Fork],
    *,
    application_version: str | None = None,
    replacement_children: Mapping[str, str] | None = None,
    timeout_ms: int | None = None,
    now: int,
    fallback_application: str | None = None,
) -> None:
    """Create all forks that do not exist yet, or raise for the first that cannot be created."""
    sources = dict.fromkeys(each.source for each in wanted)
    marked = {row[0] for row in session.all(MARK_SOURCES, ids=session.ids(sources))}
    for source in sources:
        if source not in marked:
            raise ForkSourceMissing(source)
    created = session.all(
        INSERT_FORKS,
        forks=_as_json(wanted),
        fallback_application=fallback_application,
        application_version=application_version,
        timeout_ms=timeout_ms,
        now=now,
    )
    made = {row[0] for row in created}
    for each in wanted:
        if each.new_id not in made:
            _expect_fork_of(session, each.source, each.new_id)
    fresh = [each for each in wanted if each.new_id in made]
    session.run(COPY_INPUTS, forks=_as_json(fresh), now=now)
    late = [each for each in fresh if each.start_step > 1]
    if late:
        _copy_histories(session, _as_json(late), replacement_children or {}, now)


def forks(session: Session, ids: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of each given workflow and each of its forks, and forks of forks."""
    wanted = session.ids(dict.fromkeys(ids))
    return [(root, found) for root, found in session.all(FORKS, ids=wanted)]


def _copy_histories(session: Session, forks: str, children: Mapping[str, str], now: int) -> None:
    session.run(COPY_STEPS, forks=forks, children=json.dumps(dict(children)), now=now)
    for statement in (COPY_HISTORIES, REBUILD_EVENTS, COPY_STREAMS):
        session.run(statement, forks=forks)


def _as_json(forks: Sequence[Fork]) -> str:
    return json.dumps([asdict(each) for each in forks])


def _expect_fork_of(session: Session, source: str, new_id: str) -> None:
    # A call whose reply was lost is repeated: its fork exists and is complete.
    row = session.one(FORKED_FROM, new_id=new_id)
    if row is None or row[0] != source:
        raise ForkIdTaken(f"Workflow {new_id} exists and is no fork of {source}: choose another id")
