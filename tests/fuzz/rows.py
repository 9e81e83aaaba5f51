"""Good rows of every table, and copies of them with one hostile value, or with several.

All rows of what belongs to workflows belong to the one called WHOLE.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import psycopg
from django.db import Error

from dboshub.workflows.clock import now_ms
from dboshub.workflows.storage.sql import Session, Statement, cached_statement
from tests.fuzz.columns import Column, Table, own_names
from tests.fuzz.values import Hostile, hostile
from tests.support.runs import pickled

WHOLE = "whole"
JOB = 1_000_000  # the job of all hostile items
STATUSES = ("SUCCESS", "ERROR", "PENDING", "ENQUEUED", "DELAYED", "CANCELLED")
ARGUMENTS = pickled({"args": (), "kwargs": {}})
VALUE = pickled(1)
# Hostile values in one row of the short profile, each in another column.
TOGETHER = 3
SAVEPOINT, RELEASE = Statement("SAVEPOINT fuzz"), Statement("RELEASE SAVEPOINT fuzz")
ROLLBACK = Statement("ROLLBACK TO SAVEPOINT fuzz")
REFUSALS = (Error, sqlite3.Error, psycopg.Error, OverflowError, UnicodeError, ValueError)
_number = count(1_000)

Row = dict[str, Any]


def _workflow(number: int, now: int) -> Row:
    return {
        "workflow_uuid": f"w{number}",
        "status": STATUSES[number % len(STATUSES)],
        "name": "checkout",
        "queue_name": "orders",
        "application_name": "shop",
        "application_version": "v1",
        "executor_id": "gone",
        "owner_xid": f"hub:gone:{number}",
        "parent_workflow_id": WHOLE if number % 7 == 0 else None,
        "serialization": "py_pickle",
        "inputs": ARGUMENTS,
        "delay_until_epoch_ms": now - 1_000,
        "started_at_epoch_ms": now - 2_000,
        "completed_at": now - 1_000,
        "created_at": now - 3_000,
        "updated_at": now - 1_000,
    }


def _step(number: int, now: int) -> Row:
    return {
        "function_id": number,
        "function_name": "charge",
        "output": VALUE,
        "started_at_epoch_ms": now - 2_000,
        "completed_at_epoch_ms": now - 1_000,
    }


def _schedule(number: int, now: int) -> Row:
    return {
        "schedule_id": f"s{number}",
        "schedule_name": f"schedule{number}",
        "workflow_name": "checkout",
        "schedule": "* * * * *",
        "context": pickled(None),
        "queue_name": "orders",
        "application_name": "shop",
    }


def _executor(number: int, now: int) -> Row:
    return {
        "incarnation": f"e{number}",
        "executor_id": "gone",
        "application_name": "shop",
        "application_version": "v1",
        "lease_ms": 30_000,
        "functions": '{"checkout": {}}',
        "queues": '["orders"]',
        "activity": "[]",
    }


def _message(number: int, now: int) -> Row:
    found = {"message_uuid": f"m{number}", "destination_uuid": WHOLE, "topic": "topic"}
    return {**found, "message": VALUE}


def _version(number: int, now: int) -> Row:
    found = {"version_id": f"v{number}", "version_name": f"version{number}"}
    return {**found, "application_name": "shop"}


def _job(number: int, now: int) -> Row:
    """Of those that are worked on, and of the others."""
    states = ("collecting", "running", "frozen", "stopped", "done")
    return {
        "verb": ("cancel", "resume", "delete", "fork_from_failure")[number % 4],
        "state": states[number % len(states)],
        "username": "root",
        "filter": "name=checkout",
        "options": '{"children": true, "again": false, "start": "last", "queue": ""}',
    }


def _item(number: int, now: int) -> Row:
    return {"job_id": JOB, "workflow_id": f"w{number}", "was": "ERROR"}


def _rollup(number: int, now: int) -> Row:
    """Of minutes that are old enough to be joined to hours, and of new ones."""
    at = (now - (number % 2) * 72 * 3_600_000) // 60_000 * 60_000
    found = {"width": 60_000, "at": at, "scope": "one", "name": "checkout"}
    return {**found, "queue": "orders", "application": "shop", "created": 1, "run": '{"3": 1}'}


def _span(number: int, now: int) -> Row:
    at = now // 60_000 * 60_000 - number * 60_000
    return {"width": 60_000, "at": at}


def _sample(number: int, now: int) -> Row:
    return _span(number, now) | {"queue": "orders", "waiting": 1, "running": 1}


# What makes a row of each table a good one, by a number of its own and the present.
KNOWN: dict[str, Callable[[int, int], Row]] = {
    "workflow_status": _workflow,
    "workflow_input": lambda number, _: {"workflow_uuid": f"w{number}", "inputs": ARGUMENTS},
    "workflow_output": lambda number, _: {"workflow_uuid": f"w{number}", "output": VALUE},
    "operation_outputs": _step,
    "workflow_events": lambda number, _: {"key": f"key{number}", "value": VALUE},
    "workflow_events_history": lambda number, _: {
        "function_id": number,
        "key": "key",
        "value": VALUE,
    },
    "streams": lambda number, _: {"key": "log", "offset": number, "value": VALUE},
    "notifications": _message,
    "queues": lambda number, _: {
        "queue_id": f"q{number}",
        "name": f"queue{number}",
        "application_name": "shop",
    },
    "dboshub_queue_pause": lambda number, _: {"queue_name": f"queue{number}"},
    "dboshub_queue_declaration": lambda number, _: {"queue_name": f"queue{number}"},
    "dboshub_wait": lambda number, _: {"kind": "result", "target": f"w{number}", "name": ""},
    "workflow_schedules": _schedule,
    "application_versions": _version,
    "dboshub_executor": _executor,
    "dboshub_attempt": lambda number, _: {
        "function_id": 1,
        "attempt": number,
        "message": "failed",
    },
    "dboshub_bulk": _job,
    "dboshub_bulk_item": _item,
    "dboshub_change": lambda number, _: {"workflow_id": f"w{number}", "at": number, "was": "{}"},
    "dboshub_rollup": _rollup,
    "dboshub_rolled_span": _span,
    "dboshub_queue_sample": _sample,
    "dboshub_lease": lambda number, _: {"name": f"lease{number}"},
}


def good(table: Table, **given: Any) -> Row:
    """The columns of a good row; its key is new."""
    number, now = next(_number), now_ms()
    made = table.plain | dict.fromkeys(table.times, now)
    if "workflow_uuid" in made:
        made["workflow_uuid"] = WHOLE
    if table.name in KNOWN:
        return made | KNOWN[table.name](number, now) | given
    return made | {table.key: number} | given


@dataclass(frozen=True, slots=True)
class Bad:
    """A row with hostile values in some columns."""

    table: Table
    hostile: tuple[tuple[Column, Hostile], ...]
    values: Row

    @property
    def what(self) -> str:
        return ", ".join(f"{column.name}: {value.label}" for column, value in self.hostile)

    def alone(self) -> Iterator[Bad]:
        """A row for each of its hostile values."""
        return (bad(self.table, each) for each in self.hostile)


def bad(table: Table, *found: tuple[Column, Hostile]) -> Bad:
    return Bad(table, found, good(table) | {column.name: value for column, value in found})


def one_by_one(table: Table, vendor: str) -> Iterator[Bad]:
    """One row for each hostile value of each column."""
    for column in table.columns:
        for each in hostile(column.kind, vendor, is_short=False, is_own=table.is_own):
            yield bad(table, (column, each))


def together(table: Table, vendor: str, random: Random) -> Iterator[Bad]:
    """The values of the short profile, TOGETHER of them in each row; which ones is random."""
    left: dict[Column, list[Hostile]] = {}
    for column in table.columns:
        found = hostile(column.kind, vendor, is_own=table.is_own)
        left[column] = random.sample(found, len(found))
    while left:
        columns = random.sample([*left], len(left))
        chosen = sorted(columns, key=lambda each: -len(left[each]))[:TOGETHER]
        yield bad(table, *((each, left[each].pop()) for each in chosen))
        left = {column: values for column, values in left.items() if values}


def in_circles(table: Table) -> Iterator[Bad]:
    """Workflows that are their own parents and forks, or each other's."""
    if table.name != "workflow_status":
        return
    for column in table.columns:
        if column.name not in ("parent_workflow_id", "forked_from"):
            continue
        alone, one, other = good(table), good(table), good(table)
        for row, above in ((alone, alone), (one, other), (other, one)):
            value = Hostile("in a circle", above["workflow_uuid"])
            yield Bad(table, ((column, value),), row | {column.name: value})


def at_random(table: Table, vendor: str, random: Random) -> Bad:
    """A row with hostile values in several columns."""
    most = max(2, len(table.columns) // 2)
    chosen = random.sample(table.columns, min(len(table.columns), random.randint(2, most)))
    of = {each: hostile(each.kind, vendor, is_own=table.is_own) for each in chosen}
    return bad(table, *((each, random.choice(values)) for each, values in of.items()))


def store(session: Session, rows: Iterable[Bad]) -> Iterator[Bad]:
    """Insert hostile rows; of one that the database refuses, each value by itself."""
    for row in rows:
        if insert(session, row.table.name, row.values):
            yield row
        elif len(row.hostile) > 1:
            yield from store(session, row.alone())


def insert(session: Session, table: str, row: Row) -> bool:
    """Insert a row as another program does; False if the database refuses it."""
    names = ", ".join(f'"{name}"' for name in row)
    parts, params = [], {}
    for name, value in row.items():
        if isinstance(value, Hostile) and value.sqlite:
            parts.append(value.sqlite)
            continue
        parts.append(f":{name}")
        params[name] = value.value if isinstance(value, Hostile) else value
    # Beside the system tables, or with those of Django.
    place = f'"{table}"' if table in own_names() else f"{{{table}}}"
    text = f"INSERT INTO {place} ({names}) VALUES ({', '.join(parts)})"
    # After an error SQLite's transaction goes on.
    is_guarded = session.vendor == "postgresql"
    if is_guarded:
        session.run(SAVEPOINT)
    try:
        session.run(cached_statement(text), **params)
    except REFUSALS:
        if is_guarded:
            session.run(ROLLBACK)
        return False
    if is_guarded:
        session.run(RELEASE)
    return True
