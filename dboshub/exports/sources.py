"""Lists that can be exported. A list is read in chunks, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from dboshub.audit import selectors
from dboshub.exports.formats import Record
from dboshub.exports.store import Export
from dboshub.workflows.bounded_reading import bounded_reading
from dboshub.workflows.models import AuditEvent
from dboshub.workflows.permissions import VIEW_AUDIT_EVENT, VIEW_WORKFLOW
from dboshub.workflows.rendering.time_format import iso_local
from dboshub.workflows.search.criteria import parse, public_query
from dboshub.workflows.selectors.keyset.pages import WorkflowPager, read_cursor
from dboshub.workflows.selectors.payload_export import COLUMNS as PAYLOAD_COLUMNS
from dboshub.workflows.selectors.payload_export import payloads
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.selectors.scope import viewer_for

CHUNK = 1_000
# Rows of a chunk with payloads, whose size in memory is bounded.
PAYLOAD_CHUNK = 50
CHUNK_S = 0.5

# Export column to attribute of a workflow row.
FACTS = {
    "workflow_id": "workflow_uuid",
    "status": "status",
    "name": "name",
    "class_name": "class_name",
    "queue": "queue_name",
    "partition": "queue_partition_key",
    "priority": "priority",
    "deduplication_id": "deduplication_id",
    "created_at": "created_at",
    "updated_at": "updated_at",
    "started_at": "started_at_epoch_ms",
    "completed_at": "completed_at",
    "delayed_until": "delay_until_epoch_ms",
    "deadline": "workflow_deadline_epoch_ms",
    "duration_ms": "duration_ms",
    "application": "application_name",
    "version": "application_version",
    "executor": "executor_id",
    "user": "authenticated_user",
    "attempts": "recovery_attempts",
    "parent": "parent_workflow_id",
    "forked_from": "forked_from",
    "schedule": "schedule_name",
}
TIMES = {"created_at", "updated_at", "started_at", "completed_at", "delayed_until", "deadline"}
EVENT_FACTS = ("username", "address", "action", "target_kind", "target", "outcome", "reason")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some records; `older` is the cursor of the next chunk, empty after the last one."""

    records: list[Record]
    older: str
    reached: int | None


# Fields of the form of an export, which may stand beside the filter.
FORM_FIELDS = ("format", "payload", "reason")


@dataclass(frozen=True, slots=True)
class Source:
    """A list that can be exported.

    `clean_query` returns the canonical query string and the problems of the given one,
    `public_query` a canonical one without payloads.
    """

    title: str
    permission: str
    address: str
    columns: tuple[str, ...]
    payload_columns: tuple[str, ...]
    clean_query: Callable[[QueryDict, int, bool], tuple[str, tuple[str, ...]]]
    public_query: Callable[[str], str]
    chunk: Callable[[Export, Any, str], Chunk]


def workflow_chunk(export: Export, user: Any, after: str) -> Chunk:
    query = QueryDict(export.query)
    # Relative times count from the creation of the export.
    criteria = parse(query, now=export.made_at, attributes=True)
    with bounded_reading() as session:
        size = PAYLOAD_CHUNK if export.payload else CHUNK
        pager = WorkflowPager(session, criteria, viewer_for(user), size=size, budget_s=CHUNK_S)
        page = pager.after(read_cursor(after))
        held = {}
        if export.payload and page.rows:
            held = payloads(session, [row.workflow_uuid for row in page.rows])
    records = [workflow_record(row) | held.get(row.workflow_uuid, {}) for row in page.rows]
    if export.payload:
        # A workflow that was deleted between the two statements.
        records = [dict.fromkeys(PAYLOAD_COLUMNS) | record for record in records]
    reached = getattr(page.rows[-1], criteria.time_column) if page.rows else None
    return Chunk([*records], page.older or "", page.searched_to or reached)


def workflow_record(row: WorkflowRow) -> dict[str, Any]:
    return {name: _fact(name, getattr(row, attribute)) for name, attribute in FACTS.items()}


def audit_chunk(export: Export, user: Any, after: str) -> Chunk:
    wanted = selectors.criteria(QueryDict(export.query), now=export.made_at)
    page = selectors.page(wanted, viewer_for(user), user.pk, after, size=CHUNK)
    reached = page.events[-1].at if page.events else None
    return Chunk([_event(each) for each in page.events], page.after, page.searched_to or reached)


def _event(event: AuditEvent) -> Record:
    facts = {name: getattr(event, name) for name in EVENT_FACTS}
    return {"at": iso_local(event.at), **facts, "detail": event.detail}


def _fact(name: str, value: Any) -> Any:
    return iso_local(value) if name in TIMES and value is not None else value


def _clean_workflows(query: QueryDict, now: int, payload: bool) -> tuple[str, tuple[str, ...]]:
    criteria = parse(query, now=now, attributes=payload, besides=FORM_FIELDS)
    return criteria.query(columns=None), criteria.problems


def _clean_audit(query: QueryDict, now: int, payload: bool) -> tuple[str, tuple[str, ...]]:
    criteria = selectors.criteria(query, now=now)
    return criteria.query(), criteria.problems


SOURCES: Mapping[str, Source] = {
    "workflows": Source(
        title="Workflows",
        permission=VIEW_WORKFLOW,
        address="dboshub:workflows:list",
        columns=tuple(FACTS),
        payload_columns=PAYLOAD_COLUMNS,
        clean_query=_clean_workflows,
        public_query=public_query,
        chunk=workflow_chunk,
    ),
    "audit": Source(
        title="Audit log",
        permission=VIEW_AUDIT_EVENT,
        address="dboshub:audit",
        columns=("at", *EVENT_FACTS, "detail"),
        payload_columns=(),
        clean_query=_clean_audit,
        public_query=str,
        chunk=audit_chunk,
    ),
}
