"""Good rows of every table, and copies of them with one hostile value, or with several.

All rows of what belongs to workflows belong to the one called WHOLE.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

import psycopg
from django.db import Error, connections, models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import system_alias
from dboshub.workflows.storage.sql import Session, Statement, cached_statement
from tests.fuzz.columns import columns, table_of
from tests.fuzz.values import Hostile, hostile
from tests.support.runs import pickled

WHOLE = "whole"
STATUSES = ("SUCCESS", "ERROR", "PENDING", "ENQUEUED", "DELAYED", "CANCELLED")
ARGUMENTS = pickled({"args": (), "kwargs": {}})
SAVEPOINT, RELEASE = Statement("SAVEPOINT fuzz"), Statement("RELEASE SAVEPOINT fuzz")
ROLLBACK = Statement("ROLLBACK TO SAVEPOINT fuzz")
REFUSALS = (Error, sqlite3.Error, psycopg.Error, OverflowError, UnicodeError, ValueError)
_number = count(1_000)


def good(model: type[models.Model], **given: Any) -> dict[str, Any]:
    """The columns of a good row; its key is new."""
    number, now = next(_number), now_ms()
    known: dict[str, dict[str, Any]] = {
        "workflow_status": {
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
        },
        "workflow_input": {"workflow_uuid": f"w{number}", "inputs": ARGUMENTS},
        "workflow_output": {"workflow_uuid": f"w{number}", "output": pickled(1)},
        "operation_outputs": {
            "function_id": number,
            "function_name": "charge",
            "output": pickled(1),
            "started_at_epoch_ms": now - 2_000,
            "completed_at_epoch_ms": now - 1_000,
        },
        "workflow_events": {"key": f"key{number}", "value": pickled(1)},
        "workflow_events_history": {"function_id": number, "key": "key", "value": pickled(1)},
        "streams": {"key": "log", "offset": number, "value": pickled(1)},
        "notifications": {
            "message_uuid": f"m{number}",
            "destination_uuid": WHOLE,
            "topic": "topic",
            "message": pickled(1),
        },
        "queues": {"queue_id": f"q{number}", "name": f"queue{number}", "application_name": "shop"},
        "dboshub_queue_pause": {"queue_name": f"queue{number}"},
        "workflow_schedules": {
            "schedule_id": f"s{number}",
            "schedule_name": f"schedule{number}",
            "workflow_name": "checkout",
            "schedule": "* * * * *",
            "context": pickled(None),
            "queue_name": "orders",
            "application_name": "shop",
        },
        "application_versions": {
            "version_id": f"v{number}",
            "version_name": f"version{number}",
            "application_name": "shop",
        },
        "dboshub_executor": {
            "incarnation": f"e{number}",
            "executor_id": "gone",
            "application_name": "shop",
            "application_version": "v1",
            "lease_ms": 30_000,
            "functions": '{"checkout": {}}',
            "queues": '["orders"]',
            "activity": "[]",
        },
        "dboshub_attempt": {"function_id": 1, "attempt": number, "message": "failed"},
    }
    table = table_of(model)
    made: dict[str, Any] = {}
    for field in model._meta.local_concrete_fields:
        name = field.column
        if name == "workflow_uuid":
            made[name] = WHOLE
        elif field.has_default() or field.null:
            made[name] = field.get_db_prep_save(field.get_default(), _connection())
        else:
            made[name] = "" if isinstance(field, models.CharField | models.TextField) else 0
    return made | known.get(table, {}) | given


def _connection() -> Any:
    return connections[system_alias()]


@dataclass(frozen=True, slots=True)
class Bad:
    """A row with hostile values in the columns named by `what`."""

    table: str
    what: str
    values: dict[str, Any]


def one_by_one(model: type[models.Model], vendor: str, *, is_short: bool) -> Iterator[Bad]:
    """One row for each hostile value of each column."""
    for column in columns(model):
        for each in hostile(column.kind, vendor, is_short=is_short):
            row = good(model) | {column.name: each}
            yield Bad(column.table, f"{column.name}: {each.label}", row)


def in_circles(model: type[models.Model]) -> Iterator[Bad]:
    """Workflows that are their own parents and forks, or each other's."""
    if table_of(model) != "workflow_status":
        return
    for column in ("parent_workflow_id", "forked_from"):
        alone, one, other = good(model), good(model), good(model)
        for row, above in ((alone, alone), (one, other), (other, one)):
            yield Bad(
                "workflow_status", f"{column} in a circle", row | {column: above["workflow_uuid"]}
            )


def at_random(model: type[models.Model], vendor: str, random: Random) -> Bad:
    """A row with hostile values in several columns."""
    row = good(model)
    known = [*columns(model)]
    chosen = random.sample(known, random.randint(2, max(2, len(known) // 2)))
    drawn = {each.name: random.choice(hostile(each.kind, vendor)) for each in chosen}
    what = ", ".join(f"{name}: {value.label}" for name, value in drawn.items())
    return Bad(table_of(model), what, row | drawn)


def insert(session: Session, table: str, row: dict[str, Any]) -> bool:
    """Insert a row as another program does; False if the database refuses it."""
    names = ", ".join(f'"{name}"' for name in row)
    parts, params = [], {}
    for name, value in row.items():
        if isinstance(value, Hostile) and value.sqlite:
            parts.append(value.sqlite)
            continue
        parts.append(f":{name}")
        params[name] = value.value if isinstance(value, Hostile) else value
    text = f"INSERT INTO {{{table}}} ({names}) VALUES ({', '.join(parts)})"
    session.run(SAVEPOINT)
    try:
        session.run(cached_statement(text), **params)
    except REFUSALS:
        session.run(ROLLBACK)
        return False
    session.run(RELEASE)
    return True
