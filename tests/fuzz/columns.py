"""The tables that another program may write, with every column: a new one is covered.

Most are read from the models. Tables that have none are read from the text that makes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.db import connections, models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import system_alias
from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.storage.schema import hub_tables

APPS = ("dboshub_workflows", "dboshub_queues", "dboshub_schedules")
KINDS: dict[type[Any], str] = {
    models.TextField: "text",
    models.CharField: "text",
    models.JSONField: "json",
    models.BooleanField: "boolean",
    models.FloatField: "real",
    models.BigIntegerField: "bigint",
    models.IntegerField: "integer",
    models.SmallIntegerField: "smallint",
    models.AutoField: "integer",
    models.BigAutoField: "bigint",
}
CREATED = re.compile(r"CREATE TABLE IF NOT EXISTS \{(\w+)\} \((.*?)\n\);", re.DOTALL)
COLUMN = re.compile(r"^ {4}(\w+) (text|bigint|integer)( NOT NULL)?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `kind` is one of the values of KINDS."""

    table: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table, by its name without the schema.

    `plain` gives each column a value that it takes, the key first; `times` hold the present. One
    that `is_own` is written by the hub alone.
    """

    name: str
    columns: tuple[Column, ...]
    plain: dict[str, Any]
    times: tuple[str, ...] = ()
    is_own: bool = False

    @property
    def key(self) -> str:
        return next(iter(self.plain))


def tables() -> dict[str, Table]:
    """The tables that programs share, by name."""
    modelled = [_modelled(each) for each in _models() if issubclass(each, StoredRow)]
    known = {each.name for each in modelled}
    return {each.name: each for each in (*modelled, *_written(known))}


def own_tables() -> dict[str, Table]:
    """The tables of the hub alone: bulk jobs, rollups, their leases, the audit log, scopes."""
    found = (_modelled(each) for each in _models() if not issubclass(each, StoredRow))
    return {each.name: each for each in found}


@lru_cache
def own_names() -> frozenset[str]:
    return frozenset(own_tables())


def table_of(model: type[models.Model]) -> str:
    """The name of its table, without the schema."""
    return re.findall(r"\w+", model._meta.db_table)[-1]


def _models() -> Iterator[type[models.Model]]:
    return (each for app in APPS for each in apps.get_app_config(app).get_models())


@lru_cache
def _modelled(model: type[models.Model]) -> Table:
    """All columns but those that refer to rows of Django itself, its own times and numbers."""
    name, fields = table_of(model), model._meta.local_concrete_fields
    is_own = not issubclass(model, StoredRow)
    known = [each for each in fields if type(each) in KINDS and not (is_own and each.primary_key)]
    columns = (Column(name, each.column, KINDS[type(each)]) for each in known)
    first = model._meta.pk_fields[0].column
    plain = {first: None} | {each.column: _plain(each) for each in fields}
    if is_own and isinstance(model._meta.pk, models.AutoField):
        del plain[first]  # the database counts them
    times = (each.column for each in fields if each.default is now_ms)
    return Table(name, tuple(columns), plain, tuple(times), is_own)


def _plain(field: models.Field[Any, Any]) -> Any:
    if field.has_default() or field.null:
        connection: Any = connections[system_alias()]
        return field.get_db_prep_save(field.get_default(), connection)
    return "" if isinstance(field, models.CharField | models.TextField) else 0


def _written(modelled: set[str]) -> Iterator[Table]:
    """The tables of the hub beside the system tables that have no model."""
    for name, text in CREATED.findall(hub_tables.TABLES):
        if name not in modelled:
            found = COLUMN.findall(text)
            columns = tuple(Column(name, column, kind) for column, kind, _ in found)
            filled = {"text": "", "bigint": 0, "integer": 0}
            plain = {column: filled[kind] if needed else None for column, kind, needed in found}
            yield Table(name, columns, plain)
