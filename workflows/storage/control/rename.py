"""Rename an application: executors select their rows by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from dboshub.workflows.storage.fragments import ACTIVE
from dboshub.workflows.storage.sql import Session, Statement, cached_statement

Transaction = Callable[[], AbstractContextManager[Session]]

# Tables that are renamed in one transaction, together with active workflows.
SMALL_TABLES = {
    "queues": "queues",
    "schedules": "workflow_schedules",
    "versions": "application_versions",
}


def rename(
    transaction: Transaction, old: str | None, new: str, *, batch: int | None, adopt: bool
) -> dict[str, int]:
    """Rename the rows of `old` and, if `adopt`, those without an owner; count them by kind.

    Queues, schedules, versions and active workflows are renamed first, in one transaction. Ended
    workflows and all steps follow, `batch` rows in a transaction (None: all in one). A call that
    was interrupted can be repeated. If `old` is None, only rows without an owner are renamed.
    """
    source = _source(old, adopt)
    names = {"new": new} if old is None else {"new": new, "old": old}
    with transaction() as session:
        counts = {
            kind: session.run(_update(table, source), **names)
            for kind, table in SMALL_TABLES.items()
        }
        active = session.run(_update("workflow_status", f"{source} AND {ACTIVE}"), **names)
    ended = _in_batches(transaction, "workflow_status", source, names, batch)
    steps = _in_batches(transaction, "operation_outputs", source, names, batch)
    return {**counts, "workflows": active + ended, "steps": steps}


def _in_batches(
    transaction: Transaction, table: str, source: str, names: Mapping[str, str], batch: int | None
) -> int:
    """Rename all rows of a table in the order of their workflow ids."""
    renamed, after, until = 0, "", None
    boundary = cached_statement(
        f"SELECT workflow_uuid FROM {{{table}}} WHERE workflow_uuid > :after"
        " ORDER BY workflow_uuid LIMIT 1 OFFSET :batch"
    )
    while True:
        with transaction() as session:
            found = session.one(boundary, after=after, batch=batch) if batch else None
            until = found[0] if found else None
            span = "workflow_uuid > :after" + (" AND workflow_uuid <= :until" if until else "")
            limits = {"after": after} | ({"until": until} if until else {})
            renamed += session.run(_update(table, f"{span} AND {source}"), **names, **limits)
        if until is None:
            return renamed
        after = until


def _source(old: str | None, adopt: bool) -> str:
    unclaimed = "application_name IS NULL"
    if old is None:
        return unclaimed
    return f"(application_name = :old OR {unclaimed})" if adopt else "application_name = :old"


def _update(table: str, condition: str) -> Statement:
    return cached_statement(f"UPDATE {{{table}}} SET application_name = :new WHERE {condition}")
