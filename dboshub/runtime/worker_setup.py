"""What a worker process needs to know: its configuration, and the code that it runs."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import autodiscover_modules

from dboshub import env
from dboshub.config import DBOSConfig


def configuration(*, threads: int | None = None) -> DBOSConfig:
    """The config of the engine as this Django project has it; DBOS_CONFIG has the last word."""
    given = cast(DBOSConfig, getattr(settings, "DBOS_CONFIG", {}))
    config: DBOSConfig = {
        "name": env.text("DBOS_APP_NAME", "dboshub"),
        "system_database_url": settings.DBOS_SYSTEM_DATABASE_URL,
        "dbos_system_schema": settings.DBOS_SYSTEM_SCHEMA,
        "behind_pooler": env.flag("DBOSHUB_BEHIND_POOLER"),
        "listen_url": settings.DBOSHUB_LISTEN_DSN or None,
        **given,
    }
    if threads is not None:
        config["max_executor_threads"] = threads
    return config


def import_workflows(modules: Iterable[str]) -> None:
    """Import the `workflows` module of every installed app that has one, then those named.

    The `tasks` modules, too, where Django's tasks are ours to run.
    """
    autodiscover_modules("workflows")
    if any(str(each.get("BACKEND")).startswith("dboshub.tasks.") for each in _task_backends()):
        autodiscover_modules("tasks")
    for module in modules:
        import_module(module)


def _task_backends() -> list[dict[str, Any]]:
    return [*getattr(settings, "TASKS", {}).values()]
