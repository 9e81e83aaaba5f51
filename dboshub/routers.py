"""Sends the system tables to a database of their own, and leaves other apps' tables to others."""

from __future__ import annotations

from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from dboshub.workflows.django_settings import system_alias

SYSTEM_APPS = {"dboshub_workflows", "dboshub_queues", "dboshub_schedules"}
HUB_MODELS = {
    ("dboshub_workflows", "auditevent"),
    ("dboshub_workflows", "bulkjob"),
    ("dboshub_workflows", "bulkitem"),
    ("dboshub_workflows", "change"),
    ("dboshub_workflows", "incidentdecision"),
    ("dboshub_workflows", "lease"),
    ("dboshub_workflows", "listlayout"),
    ("dboshub_workflows", "rolledspan"),
    ("dboshub_workflows", "rollup"),
    ("dboshub_workflows", "queuesample"),
    ("dboshub_workflows", "scoperule"),
    ("dboshub_workflows", "groupscope"),
}


class SystemTables:
    """The three apps' tables are on the system alias, except what only the hub knows."""

    def db_for_read(self, model: type[Model], **_hints: Any) -> str | None:
        return _alias(model._meta.app_label, model._meta.model_name)

    db_for_write = db_for_read

    def allow_relation(self, first: Model, second: Model, **_hints: Any) -> bool | None:
        # A request's user is a lazy object, whose type is not the user's.
        sides = (_of(first), _of(second))
        if sides == (None, None):
            return None
        return (sides[0] or DEFAULT_DB_ALIAS) == (sides[1] or DEFAULT_DB_ALIAS)

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        # A data migration about users or groups says so with hints={"hub": True}.
        wanted = DEFAULT_DB_ALIAS if hints.get("hub") else _alias(app_label, model_name)
        if wanted is not None:
            return db == wanted
        # The system database is of the workflows alone, unless a router before this one differs.
        return False if db == system_alias() != DEFAULT_DB_ALIAS else None


def _of(instance: Model) -> str | None:
    return _alias(instance._meta.app_label, instance._meta.model_name)


def _alias(app_label: str, model_name: str | None) -> str | None:
    """The alias of a table of ours, None for another's."""
    if app_label in SYSTEM_APPS and (app_label, model_name) not in HUB_MODELS:
        return system_alias()
    return DEFAULT_DB_ALIAS if app_label in {*SYSTEM_APPS, "dboshub"} else None
