"""Every column that another program may write, read from the models: a new one is covered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.db import models

from dboshub.workflows.models.stored_row import StoredRow

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


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `kind` is one of the values of KINDS."""

    table: str
    name: str
    kind: str


def tables() -> dict[str, type[models.Model]]:
    """The models of the tables that programs share, by the name of the table.

    Rollups, bulk jobs and the like are tables of the hub alone.
    """
    found = (each for app in APPS for each in apps.get_app_config(app).get_models())
    return {table_of(each): each for each in found if issubclass(each, StoredRow)}


def table_of(model: type[models.Model]) -> str:
    """The name of its table, without the schema."""
    return re.findall(r"\w+", model._meta.db_table)[-1]


def columns(model: type[models.Model]) -> Iterator[Column]:
    """Its columns but those that refer to rows of Django itself, and Django's own times."""
    for field in model._meta.local_concrete_fields:
        if type(field) in KINDS:
            yield Column(table_of(model), field.column, KINDS[type(field)])
