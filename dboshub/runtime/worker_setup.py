"""Configuration of a worker process, and import of the workflows that it runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from django.apps import apps
from django.utils.module_loading import module_has_submodule

from dboshub.config import DBOSConfig
from dboshub.runtime.module_import import import_user_module
from dboshub.workflows.django_settings import (
    application_name,
    dbos_config,
    is_behind_pooler,
    listen_url,
    system_database_url,
    system_schema,
    task_backends,
)


def configuration(*, threads: int | None = None) -> DBOSConfig:
    """The config of the engine as this Django project has it; DBOS_CONFIG has the last word.

    A worker creates no tables: ``migrate`` does.
    """
    given = cast(DBOSConfig, dbos_config())
    config: DBOSConfig = {
        "name": application_name(),
        "system_database_url": system_database_url(),
        "dbos_system_schema": system_schema(),
        "behind_pooler": is_behind_pooler(),
        "listen_url": listen_url() or None,
        "run_migrations": False,
        **given,
    }
    if threads is not None:
        config["max_executor_threads"] = threads
    return config


def import_workflows(modules: Iterable[str]) -> None:
    """Import the `workflows` module of every installed app that has one, then those named.

    The `tasks` modules, too, where Django's tasks are ours to run. Raises ModuleImportError.
    """
    wanted = ["workflows"]
    if any(str(each.get("BACKEND")).startswith("dboshub.tasks.") for each in task_backends()):
        wanted.append("tasks")
    for name in wanted:
        for app in apps.get_app_configs():
            if module_has_submodule(app.module, name):
                import_user_module(f"{app.name}.{name}")
    for module in modules:
        import_user_module(module)
