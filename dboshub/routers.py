"""Sends the system tables to their own database when DBOSHUB_DATABASE_URL separates the two."""

from __future__ import annotations

from typing import Any

from django.db.models import Model

SYSTEM_APPS = {"dboshub_workflows", "dboshub_queues", "dboshub_schedules"}
HUB_MODELS = {
    *(
        ("dboshub_workflows", "auditevent"),
        ("dboshub_workflows", "bulkjob"),
        ("dboshub_workflows", "bulkitem"),
    ),
    *(
        ("dboshub_workflows", "lease"),
        ("dboshub_workflows", "rolledspan"),
        ("dboshub_workflows", "rollup"),
    ),
    *(("dboshub_workflows", "queuesample"), ("dboshub_workflows", "scoperule")),
}


class SystemTables:
    """The three apps' tables live in `system`, except what only the hub knows."""

    def db_for_read(self, model: type[Model], **_hints: Any) -> str:
        return _alias(model._meta.app_label, model._meta.model_name)

    db_for_write = db_for_read

    def allow_relation(self, first: Model, second: Model, **_hints: Any) -> bool:
        # A request's user is a lazy object, whose type is not the user's.
        return _of(first) == _of(second)

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool:
        # A data migration about users or groups says so with hints={"hub": True}.
        wanted = "default" if hints.get("hub") else _alias(app_label, model_name)
        return db == wanted


def _of(instance: Model) -> str:
    return _alias(instance._meta.app_label, instance._meta.model_name)


def _alias(app_label: str, model_name: str | None) -> str:
    if app_label not in SYSTEM_APPS or (app_label, model_name) in HUB_MODELS:
        return "default"
    return "system"
