"""Subcommands of ``workflow`` that show data. Payloads are never unpickled."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, BooleanOptionalAction
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import Subcommand, actor, argument, workflow_id
from dboshub.workflows.actions import transfer
from dboshub.workflows.connection import reading
from dboshub.workflows.engine.control.list_filters import Filters, ListFilters, checked
from dboshub.workflows.engine.operations.aggregates import StepFilters
from dboshub.workflows.engine.records import ACTIVE, Checkpoint, Status
from dboshub.workflows.engine.stored_json import readable_json
from dboshub.workflows.engine.waiting.notices import NULL_TOPIC
from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.selectors.detail.streams import CLOSED
from dboshub.workflows.storage.journal.history import history
from dboshub.workflows.storage.listing import communication
from dboshub.workflows.storage.listing.aggregates import (
    STEP_GROUPS,
    WORKFLOW_GROUPS,
    step_aggregates,
    workflow_aggregates,
)
from dboshub.workflows.storage.listing.workflow_rows import workflows
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.waiting.awaited_values import ALL_EVENTS

MAX_PAYLOAD_LENGTH = 10_000  # characters of a payload
MAX_STEPS = 10_000
LISTED_COLUMNS = (
    "workflow_id",
    "status",
    "name",
    "class_name",
    "queue_name",
    "executor_id",
    "app_version",
    "application_name",
    "created_at",
    "updated_at",
    "completed_at",
    "recovery_attempts",
    "parent_workflow_id",
    "forked_from",
)


def list_(**options: Any) -> list[dict[str, Any]]:
    return _listed(options)


def queued(*, what: str, **options: Any) -> list[dict[str, Any]]:
    options["status"] = options["status"] or [*ACTIVE]
    return _listed({**options, "queues_only": True})


def get(*, workflow_id: str, **_: Any) -> dict[str, Any]:
    with reading() as session:
        found = existing(session, workflow_id)
    for payload in ("input", "output", "error"):
        found[payload] = _shown(found[payload], found["serialization"])
    found["was_forked_from"] = bool(found["was_forked_from"])  # a number on SQLite
    for key in ("attributes", "authenticated_roles"):
        # Text on SQLite, JSON on PostgreSQL.
        found[key] = readable_json(found[key]) if isinstance(found[key], str) else found[key]
    return found


def steps(*, workflow_id: str, **_: Any) -> list[dict[str, Any]]:
    with reading() as session:
        existing(session, workflow_id)
        return [_step(each) for each in history(session, workflow_id, after=-1, limit=MAX_STEPS)]


def events(*, workflow_id: str, **_: Any) -> list[dict[str, Any]]:
    with reading() as session:
        existing(session, workflow_id)
        found = session.all(ALL_EVENTS, workflow_id=workflow_id)
    return [{"key": key, "value": _shown(value, format_)} for key, value, format_ in found]


def messages(*, workflow_id: str, limit: int, **_: Any) -> list[dict[str, Any]]:
    with reading() as session:
        existing(session, workflow_id)
        found = communication.messages(session, workflow_id, limit=limit)
    return [
        {
            "message_uuid": uuid,
            "topic": None if topic == NULL_TOPIC else topic,
            "created_at": created_at,
            "consumed": bool(consumed),
            "consumed_by_function_id": consumed_by,
            "message": _shown(message, format_),
        }
        for uuid, topic, created_at, consumed, consumed_by, message, format_ in found
    ]


def streams(
    *, workflow_id: str, key: str | None, offset: int, limit: int, **_: Any
) -> list[dict[str, Any]]:
    with reading() as session:
        existing(session, workflow_id)
        found = communication.streamed(session, workflow_id, key=key, start=offset, limit=limit)
    return [
        {
            "key": key,
            "offset": offset,
            "function_id": function_id,
            "value": None if value == CLOSED else _shown(value, format_),
            "closed": value == CLOSED,
        }
        for key, offset, function_id, value, format_ in found
    ]


def aggregate(*, group_by: list[str], bucket_ms: int | None, **options: Any) -> list[Any]:
    with reading() as session:
        return workflow_aggregates(
            session,
            checked(_given(options), Filters),
            groups=group_by,
            values=("count", "min_created_at", "max_queue_wait_ms", "max_total_latency_ms"),
            bucket_ms=bucket_ms,
        )


def aggregate_steps(*, group_by: list[str], bucket_ms: int | None, **options: Any) -> list[Any]:
    with reading() as session:
        return step_aggregates(
            session,
            checked(_given(options), StepFilters),
            groups=group_by,
            values=("count", "max_duration_ms"),
            bucket_ms=bucket_ms,
        )


def export(*, workflow_id: str, children: bool, output: Path | None, **_: Any) -> Any:
    text = transfer.export_workflow(actor(), workflow_id, children=children)
    if output is None:
        return text
    output.write_text(text, encoding="ascii")
    return {"workflow_id": workflow_id, "file": str(output), "bytes": len(text)}


def outline(workflow_id: str) -> dict[str, Any]:
    """The listed columns of a workflow."""
    with reading() as session:
        found = existing(session, workflow_id)
    return {key: found[key] for key in LISTED_COLUMNS}


def existing(session: Session, workflow_id: str) -> dict[str, Any]:
    """A workflow with its payloads. Raises CommandError."""
    found = workflows(session, {"workflow_ids": [workflow_id]})
    if not found:
        raise CommandError(f"There is no workflow {workflow_id!r}.")
    return found[0]


def _listed(options: dict[str, Any]) -> list[dict[str, Any]]:
    filters = checked(_given(options), ListFilters)
    with reading() as session:
        found = workflows(session, {**filters, "load_input": False, "load_output": False})
    return [{key: each[key] for key in LISTED_COLUMNS} for each in found]


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The filters among a command's options."""
    known = {*ListFilters.__annotations__, *StepFilters.__annotations__}
    return {key: value for key, value in options.items() if key in known and value is not None}


def _step(step: Checkpoint) -> dict[str, Any]:
    return {
        "function_id": step.function_id,
        "function_name": step.name,
        "output": _shown(step.output, step.serialization),
        "error": _shown(step.error, step.serialization),
        "child_workflow_id": step.child_id,
        "started_at_epoch_ms": step.started_at,
        "completed_at_epoch_ms": step.completed_at,
    }


def _shown(text: str | None, serialization: str | None) -> str | None:
    return None if text is None else inline(read(text, serialization), MAX_PAYLOAD_LENGTH)


def filters(parser: ArgumentParser) -> None:
    """Arguments of listings and aggregates."""
    add = parser.add_argument
    add("-S", "--status", action="append", choices=list(Status), help="repeatable")
    add("-n", "--name", action="append", help="repeatable")
    add("-q", "--queue", "--queue-name", dest="queue_name", help="on this queue")
    add("-u", "--user", help="of this authenticated user")
    add("-t", "--start-time", help="created at or after this time")
    add("-e", "--end-time", help="created at or before this time")
    add("-v", "--application-version", dest="app_version", help="of this application version")
    add("-a", "--application-name", help="of this application")
    add("--prefix", dest="workflow_id_prefix", help="prefix of the workflow id")


def page(parser: ArgumentParser) -> None:
    """Arguments that choose the rows of a listing."""
    parser.add_argument("-l", "--limit", type=int, default=10, help="0 for all; 10 by default")
    parser.add_argument("-o", "--offset", type=int, default=0, help="rows to skip")
    parser.add_argument(
        "-d", "--sort-desc", action=BooleanOptionalAction, default=True, help="newest first"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is not a number of rows")
    return int(text)


def _grouped_by(names: Any) -> Any:
    return argument("--by", dest="group_by", action="append", default=[], choices=[*names])


bucket = argument(
    "--bucket-ms", type=int, help="also group by time buckets of this many milliseconds"
)
step_filters = (
    argument("--status", choices=("SUCCESS", "ERROR")),
    argument("--name", dest="function_name", help="of this step function"),
    argument("--after", dest="completed_after", help="ended at or after this time"),
    argument("--before", dest="completed_before", help="ended at or before this time"),
    argument("-a", "--application-name", help="of this application"),
)
at_most = argument(
    "-l", "--limit", type=_count, default=MAX_STEPS, help=f"{MAX_STEPS:,} by default"
)
children = argument("--children", action="store_true", help="include its descendants")
to_file = argument(
    "-o", "--output", "--file", type=Path, help="file to write; by default it is printed"
)

SUBCOMMANDS = (
    Subcommand("list", "list workflows, newest first", list_, (filters, page)),
    Subcommand(
        "queue",
        "list workflows on queues",
        queued,
        (
            argument("what", choices=["list"]),
            filters,
            page,
        ),
    ),
    Subcommand("get", "show a workflow with its input and outcome", get, (workflow_id,)),
    Subcommand("steps", "show its recorded steps", steps, (workflow_id,)),
    Subcommand("events", "show its events", events, (workflow_id,)),
    Subcommand(
        "messages", "show the messages to it, oldest first", messages, (workflow_id, at_most)
    ),
    Subcommand(
        "streams",
        "show the values of its streams",
        streams,
        (
            workflow_id,
            argument("-k", "--key", help="of this stream; by default of all"),
            argument("-o", "--offset", type=int, default=0, help="from this offset on"),
            at_most,
        ),
    ),
    Subcommand(
        "export", "export everything that is stored of it", export, (workflow_id, children, to_file)
    ),
    Subcommand(
        "aggregate",
        "count workflows in groups",
        aggregate,
        (
            filters,
            _grouped_by(WORKFLOW_GROUPS),
            bucket,
        ),
    ),
    Subcommand(
        "aggregate-steps",
        "count recorded steps",
        aggregate_steps,
        (
            *step_filters,
            _grouped_by(STEP_GROUPS),
            bucket,
        ),
    ),
)
