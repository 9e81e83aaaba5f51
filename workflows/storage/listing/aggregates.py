"""Counts and maxima of workflows or steps by group, computed by the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dboshub.workflows.storage.listing.workflow_rows import listed, matching, owned, prefixed
from dboshub.workflows.storage.sql import Session, cached_statement
from dboshub.workflows.storage.stored_values import whole

WORKFLOW_GROUPS = {
    "status": "s.status",
    "name": "s.name",
    "queue_name": "s.queue_name",
    "executor_id": "s.executor_id",
    "application_version": "s.application_version",
    "application_name": "s.application_name",
}


def _longest(start: str, end: str, condition: str = "TRUE") -> str:
    """In floating point: a row may hold times whose difference no integer is."""
    took = f"CAST({end} AS double precision) - {start}"
    return f"MAX(CASE WHEN {condition} THEN {took} END)"


WORKFLOW_VALUES = {
    "count": "COUNT(*)",
    "min_created_at": "MIN(s.created_at)",
    "max_queue_wait_ms": _longest(
        "s.created_at", "s.started_at_epoch_ms", "s.queue_name IS NOT NULL"
    ),
    "max_total_latency_ms": _longest("s.created_at", "s.completed_at"),
}
STEP_GROUPS = {
    "function_name": "s.function_name",
    "status": "CASE WHEN s.error IS NULL THEN 'SUCCESS' ELSE 'ERROR' END",
}
STEP_VALUES = {
    "count": "COUNT(*)",
    "max_duration_ms": _longest("s.started_at_epoch_ms", "s.completed_at_epoch_ms"),
}
BUCKET = "time_bucket"


def workflow_aggregates(
    session: Session,
    filters: Mapping[str, Any],
    *,
    groups: Sequence[str],
    values: Sequence[str],
    bucket_ms: int | None,
) -> list[dict[str, Any]]:
    """A dict for each group: `group` and WORKFLOW_VALUES, None for those not requested.

    With `bucket_ms` workflows are also grouped by creation time, in buckets of that many
    milliseconds; a bucket is named by its first millisecond.
    """
    conditions, params = matching(session, filters)
    grouped = {name: WORKFLOW_GROUPS[name] for name in groups}
    if bucket_ms is not None:
        grouped[BUCKET] = f"s.created_at - s.created_at % {bucket_ms:d}"
    return _aggregates(
        session, "workflow_status", conditions, params, grouped, WORKFLOW_VALUES, values
    )


def step_aggregates(
    session: Session,
    filters: Mapping[str, Any],
    *,
    groups: Sequence[str],
    values: Sequence[str],
    bucket_ms: int | None,
) -> list[dict[str, Any]]:
    """The same for steps, with STEP_VALUES and buckets of completion times."""
    conditions, params = _matching_steps(session, filters)
    grouped = {name: STEP_GROUPS[name] for name in groups}
    if bucket_ms is not None:
        conditions.append("s.completed_at_epoch_ms IS NOT NULL")
        grouped[BUCKET] = f"s.completed_at_epoch_ms - s.completed_at_epoch_ms % {bucket_ms:d}"
    return _aggregates(
        session, "operation_outputs", conditions, params, grouped, STEP_VALUES, values
    )


def _aggregates(
    session: Session,
    table: str,
    conditions: Sequence[str],
    params: Mapping[str, Any],
    grouped: Mapping[str, str],
    known: Mapping[str, str],
    wanted: Sequence[str],
) -> list[dict[str, Any]]:
    columns = [*grouped.values(), *(known[name] for name in wanted)]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # Groups are named by position, the one name that PostgreSQL accepts for them in all clauses.
    places = ", ".join(str(at) for at in range(1, len(grouped) + 1))
    order = f" GROUP BY {places} ORDER BY {places}" if grouped else ""
    found = session.all(
        cached_statement(f"SELECT {', '.join(columns)} FROM {{{table}}} AS s{where}{order}"),
        **params,
    )
    return [
        {
            "group": dict(zip(grouped, row, strict=False)),
            **dict.fromkeys(known),
            **dict(zip(wanted, map(_whole, row[len(grouped) :]), strict=True)),
        }
        for row in found
    ]


def _whole(value: Any) -> Any:
    return whole(value) if isinstance(value, float) else value


def _matching_steps(
    session: Session, filters: Mapping[str, Any]
) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    params: dict[str, Any] = {}
    for key, column in STEP_GROUPS.items():
        if filters.get(key) is not None:
            conditions.append(f"{column} = ANY(:{key})")
            params[key] = session.ids(listed(filters[key]))
    for key, comparison in (("completed_after", ">="), ("completed_before", "<=")):
        if filters.get(key) is not None:
            conditions.append(f"s.completed_at_epoch_ms {comparison} :{key}")
            params[key] = filters[key]
    prefixed(filters, conditions, params)
    owned(session, filters, conditions, params)
    return conditions, params
