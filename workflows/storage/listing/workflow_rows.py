"""List workflows by the filters of the public API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

# Fields of the public WorkflowStatus, and the expressions that read them.
FIELDS = {
    "workflow_id": "s.workflow_uuid",
    "status": "s.status",
    "name": "s.name",
    "class_name": "s.class_name",
    "config_name": "s.config_name",
    "authenticated_user": "s.authenticated_user",
    "assumed_role": "s.assumed_role",
    "authenticated_roles": "s.authenticated_roles",
    "created_at": "s.created_at",
    "updated_at": "s.updated_at",
    "queue_name": "s.queue_name",
    "executor_id": "s.executor_id",
    "app_version": "s.application_version",
    "app_id": "s.application_id",
    "application_name": "s.application_name",
    "workflow_timeout_ms": "s.workflow_timeout_ms",
    "workflow_deadline_epoch_ms": "s.workflow_deadline_epoch_ms",
    "deduplication_id": "s.deduplication_id",
    "priority": "s.priority",
    "queue_partition_key": "s.queue_partition_key",
    "forked_from": "s.forked_from",
    "was_forked_from": "s.was_forked_from",
    "parent_workflow_id": "s.parent_workflow_id",
    "dequeued_at": "s.started_at_epoch_ms",
    "delay_until_epoch_ms": "s.delay_until_epoch_ms",
    "completed_at": "s.completed_at",
    "attributes": "s.attributes",
    "schedule_name": "s.schedule_name",
    "recovery_attempts": "s.recovery_attempts",
    "serialization": "s.serialization",
}
_ANY_OF = {
    "workflow_ids": "s.workflow_uuid",
    "status": "s.status",
    "name": "s.name",
    "app_version": "s.application_version",
    "forked_from": "s.forked_from",
    "parent_workflow_id": "s.parent_workflow_id",
    "user": "s.authenticated_user",
    "queue_name": "s.queue_name",
    "executor_id": "s.executor_id",
    "schedule_name": "s.schedule_name",
}
_BETWEEN = {
    "start_time": "s.created_at >= :start_time",
    "end_time": "s.created_at <= :end_time",
    "completed_after": "s.completed_at >= :completed_after",
    "completed_before": "s.completed_at <= :completed_before",
    "dequeued_after": "s.started_at_epoch_ms >= :dequeued_after",
    "dequeued_before": "s.started_at_epoch_ms <= :dequeued_before",
}
_YES_NO = {
    "queues_only": ("s.queue_name IS NOT NULL", "TRUE"),
    "was_forked_from": ("s.was_forked_from", "NOT s.was_forked_from"),
    "is_fork": ("s.forked_from IS NOT NULL", "s.forked_from IS NULL"),
    "has_parent": ("s.parent_workflow_id IS NOT NULL", "s.parent_workflow_id IS NULL"),
}
_OTHERS = (
    "attributes",
    "workflow_id_prefix",
    "application_name",
    "own_application",
    "load_input",
    "load_output",
    "sort_desc",
    "limit",
    "offset",
)
FILTERS = frozenset((*_ANY_OF, *_BETWEEN, *_YES_NO, *_OTHERS))


def workflows(session: Session, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows as dicts of FIELDS with `input`, `output` and `error` as text, by creation time.

    Raises TypeError for an unknown filter, and DBOSException for `attributes` on SQLite.
    """
    unknown = filters.keys() - FILTERS
    if unknown:
        known = ", ".join(sorted(FILTERS - {"own_application"}))
        raise TypeError(f"unknown filter {', '.join(sorted(unknown))}; known are {known}")
    conditions, params = matching(session, filters)
    names = [*FIELDS, "input", "output", "error"]
    found = session.all(_statement(session, filters, conditions, params), **params)
    return [dict(zip(names, row, strict=True)) for row in found]


def matching(session: Session, filters: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Conditions on `workflow_status AS s`, to be joined with AND, and their parameters.

    Raises DBOSException for `attributes` on SQLite.
    """
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for key, column in _ANY_OF.items():
        if filters.get(key) is not None:
            conditions.append(f"{column} = ANY(:{key})")
            params[key] = session.ids(listed(filters[key]))
    for key, condition in _BETWEEN.items():
        if filters.get(key) is not None:
            conditions.append(condition)
            params[key] = filters[key]
    for key, (yes, no) in _YES_NO.items():
        if filters.get(key) is not None:
            conditions.append(yes if filters[key] else no)
    _attributes(session, filters, conditions, params)
    prefixed(filters, conditions, params)
    owned(session, filters, conditions, params)
    return conditions, params


def _statement(
    session: Session, filters: Mapping[str, Any], conditions: list[str], params: dict[str, Any]
) -> Statement:
    columns = ", ".join(FIELDS.values())
    joins, payloads = "", ["NULL", "NULL", "NULL"]
    if filters.get("load_input", True):
        joins += " LEFT JOIN {workflow_input} AS i ON i.workflow_uuid = s.workflow_uuid"
        payloads[0] = "COALESCE(i.inputs, s.inputs)"
    if filters.get("load_output", True):
        joins += " LEFT JOIN {workflow_output} AS o ON o.workflow_uuid = s.workflow_uuid"
        payloads[1:] = ["COALESCE(o.output, s.output)", "COALESCE(o.error, s.error)"]
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    order = "DESC" if filters.get("sort_desc") else "ASC"
    page = ""
    if filters.get("limit"):
        page, params["limit"] = " LIMIT :limit", filters["limit"]
    elif filters.get("offset") and session.vendor == "sqlite":
        page = " LIMIT -1"  # SQLite has no OFFSET without a LIMIT
    if filters.get("offset"):
        page, params["offset"] = page + " OFFSET :offset", filters["offset"]
    return cached_statement(
        f"SELECT {columns}, {', '.join(payloads)} FROM {{workflow_status}} AS s{joins} {where}"
        f" ORDER BY s.created_at {order}, s.workflow_uuid {order}{page}"
    )


def _attributes(
    session: Session, filters: Mapping[str, Any], conditions: list[str], params: dict[str, Any]
) -> None:
    if filters.get("attributes") is None:
        return
    if session.vendor != "postgresql":
        raise DBOSException(
            "Filtering workflows by attributes is not supported on SQLite, because it has no index "
            "for them: list without this filter and compare the attributes of each"
        )
    conditions.append("s.attributes @> CAST(:attributes AS jsonb)")
    params["attributes"] = json.dumps(filters["attributes"])


def prefixed(filters: Mapping[str, Any], conditions: list[str], params: dict[str, Any]) -> None:
    given = filters.get("workflow_id_prefix")
    if given is None:
        return
    parts = []
    for number, prefix in enumerate(listed(given)):
        name = f"prefix_{number}"
        parts.append(f"SUBSTR(s.workflow_uuid, 1, LENGTH(:{name})) = :{name}")
        params[name] = prefix
    conditions.append(f"({' OR '.join(parts)})")


def owned(
    session: Session, filters: Mapping[str, Any], conditions: list[str], params: dict[str, Any]
) -> None:
    """Rows of the given applications or, without a filter, own rows; and those without an owner."""
    if filters.get("application_name"):
        conditions.append("(s.application_name = ANY(:applications) OR s.application_name IS NULL)")
        params["applications"] = session.ids(listed(filters["application_name"]))
    elif (
        filters.get("application_name") is None
        and filters.get("own_application")
        and filters.get("workflow_ids") is None
    ):
        conditions.append("(s.application_name = :own OR s.application_name IS NULL)")
        params["own"] = filters["own_application"]


def listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) else [*value]
