"""Chooses the keyset ranges of a filter: an index where one serves it, else a scan in order."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from hashlib import blake2s
from typing import Any

from dboshub.workflows.search.criteria import Criteria
from dboshub.workflows.search.predicates import (
    Predicate,
    fragment,
    id_prefix,
    status_predicate,
)
from dboshub.workflows.selectors.keyset.attribute_index import ids_with_attributes
from dboshub.workflows.selectors.keyset.index_predicates import (
    FAILED_INDEX,
    enqueued_order,
    enqueued_predicate,
)
from dboshub.workflows.selectors.keyset.ranges import IdSetRange, IndexRange, KeysetRange
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.statuses import FAILED
from dboshub.workflows.storage.sql import Session, cached_statement

# A set of up to this many ids is read completely and sorted.
MAX_ID_SET = 500
# More groups than this would cost more than a scan.
MAX_GROUPS = 8
RELATION_COLUMNS = {
    "parent": "parent_workflow_id",
    "forked_from": "forked_from",
    "schedule": "schedule_name",
}


def plan_ranges(session: Session, criteria: Criteria, viewer: Viewer) -> list[KeysetRange]:
    """The ranges that together contain each row of the filter once."""
    if criteria.problems:
        return []
    scope = viewer.predicate()
    predicates = [
        each.on(session.vendor) for each in criteria.predicates() + ([scope] if scope else [])
    ]
    ids = _ids_from_small_index(session, criteria)
    if ids is not None:
        return [IdSetRange("set", ids, predicates, criteria.time_column)]
    times = [each for each in predicates if each.key in ("since", "until")]
    others = [each for each in predicates if each.key not in ("since", "until", "status")]
    statuses = criteria.statuses
    if not statuses or "SUCCESS" in statuses or criteria.by != "created":
        checked = [each for each in predicates if each.key not in ("since", "until", "by")]
        # The index on another time column contains only rows in which it is set.
        present = [each for each in predicates if each.key == "by"]
        range_key = f"by_{criteria.by}" if present else "all"
        return [IndexRange(range_key, [*present, *times], checked, criteria.time_column)]
    ranges: list[KeysetRange] = []
    unserved: list[str] = []
    for status in statuses:
        found = _ranges_of_status(session, status, criteria, [times, others])
        ranges += found or []
        unserved += [] if found is not None else [status]
    if unserved:
        ranges.append(IndexRange("rest", times, [*others, status_predicate(unserved)]))
    return ranges


def _ranges_of_status(
    session: Session, status: str, criteria: Criteria, split: Sequence[Sequence[Predicate]]
) -> list[KeysetRange] | None:
    """The ranges of one status, or None if no index serves it in order."""
    times, others = split
    if status == "PENDING":
        return [IndexRange(status, [_literal("status = 'PENDING'"), *times], others)]
    if status in FAILED:
        served = _literal(f"status = '{status}' AND {FAILED_INDEX}")
        return [IndexRange(status, [served, *times], others)]
    waiting = enqueued_predicate(session) if status == "ENQUEUED" else "status = 'DELAYED'"
    order = enqueued_order(session) if status == "ENQUEUED" else "delay_until_epoch_ms"
    narrowed, params = _narrowed(waiting, criteria.single_value("queue"))
    ids = _ids(session, f"WHERE {narrowed} ORDER BY {order}", **params)
    if ids is not None:
        return [IdSetRange(status, ids, [*times, *others])]
    if status == "DELAYED":
        return None
    groups = _groups(session, narrowed, params)
    if len(groups) > MAX_GROUPS:
        return None
    return [
        IndexRange(f"q{_short(*group)}", [_group(waiting, *group), *times], others)
        for group in groups
    ]


def _ids_from_small_index(session: Session, criteria: Criteria) -> list[str] | None:
    """The ids that a selective index gives; None if there is no such index, or too many ids."""
    prefixes = criteria.values("id")
    if prefixes and not any(map(fragment, prefixes)):
        most = MAX_ID_SET // len(prefixes)
        sets = [_ids_with_prefix(session, id_prefix(each), most) for each in prefixes]
        if any(each is None for each in sets):
            return None
        return list(dict.fromkeys(id for ids in sets for id in ids or ()))
    for key, column in RELATION_COLUMNS.items():
        value = criteria.single_value(key)
        if value is not None:
            # Not `=`: with an equality the planner drops the ORDER BY and may scan the table.
            where = f"WHERE {column} >= :value AND {column} <= :value ORDER BY {column}"
            found = _ids(session, where, value=value)
            if found is not None:
                return found
    return ids_with_attributes(session, criteria)


def _ids(session: Session, where: str, **params: Any) -> list[str] | None:
    found = session.all(
        cached_statement(f"SELECT workflow_uuid FROM {{workflow_status}} {where} LIMIT :most"),
        **params,
        most=MAX_ID_SET + 1,
    )
    return None if len(found) > MAX_ID_SET else [row[0] for row in found]


def _ids_with_prefix(session: Session, prefix: str, most: int) -> list[str] | None:
    # Reads the key from the prefix on, because LIKE needs an index with another collation.
    keys = [
        row[0]
        for row in session.all(
            cached_statement(
                "SELECT workflow_uuid FROM {workflow_status} WHERE workflow_uuid >= :prefix "
                "ORDER BY workflow_uuid LIMIT :most"
            ),
            prefix=prefix,
            most=most + 1,
        )
    ]
    if len(keys) > most and _letters(keys[-1]).startswith(_letters(prefix)):
        return None
    return [key for key in keys if key.startswith(prefix)]


def _letters(text: str) -> str:
    """What collations compare first: keys with equal beginnings of it can be interleaved."""
    bare = unicodedata.normalize("NFKD", text)
    return "".join(each for each in bare if each.isalnum()).casefold()


def _groups(session: Session, narrowed: str, params: dict[str, Any]) -> list[tuple[str, int]]:
    """The (queue, priority) pairs of waiting rows, by a skip scan of the in-flight index."""
    table = "FROM {workflow_status} WHERE"
    priority = (
        f"(SELECT MIN(priority) {table} {narrowed} AND queue_name = steps.queue"
        " AND priority > COALESCE(steps.priority, -2147483649))"
    )
    found = session.all(
        cached_statement(
            "WITH RECURSIVE steps(queue, priority) AS ("
            f"SELECT (SELECT MIN(queue_name) {table} {narrowed}), CAST(NULL AS bigint) UNION ALL "
            f"SELECT CASE WHEN {priority} IS NOT NULL THEN steps.queue ELSE "
            f"(SELECT MIN(queue_name) {table} {narrowed} AND queue_name > steps.queue) END, "
            f"CAST({priority} AS bigint) FROM steps WHERE steps.queue IS NOT NULL) "
            "SELECT queue, priority FROM steps WHERE priority IS NOT NULL LIMIT :most"
        ),
        **params,
        most=MAX_GROUPS + 1,
    )
    return [(queue, priority) for queue, priority in found]


def _narrowed(served: str, queue: str | None) -> tuple[str, dict[str, Any]]:
    if queue is None:
        return served, {}
    return f"{served} AND queue_name = :of_queue", {"of_queue": queue}


def _group(waiting: str, queue: str, priority: int) -> Predicate:
    key = _short(queue, priority)
    return Predicate(
        f"group_{key}",
        f"queue_name = :queue_{key} AND {waiting} AND priority = :priority_{key}",
        {f"queue_{key}": queue, f"priority_{key}": priority},
        lambda row: bool(
            row.status == "ENQUEUED" and row.queue_name == queue and row.priority == priority
        ),
    )


def _literal(sql: str) -> Predicate:
    return Predicate("status", sql, {}, lambda row: f"'{row.status}'" in sql)


def _short(queue: str, priority: int) -> str:
    return blake2s(f"{priority} {queue}".encode(), digest_size=4).hexdigest()
