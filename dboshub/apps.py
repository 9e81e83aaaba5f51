"""Django's view of DBOSHub: the app of the pages, and `dboshub.apps()`, the names to install.

    INSTALLED_APPS += dboshub.apps()

The module is callable because Django needs it under this very name.
"""

from __future__ import annotations

import sys
from types import ModuleType

from django.apps import AppConfig
from django.core.checks import register

NAMES = ("dboshub", "dboshub.schedules", "dboshub.queues", "dboshub.workflows")


class DboshubConfig(AppConfig):
    name = "dboshub"
    verbose_name = "DBOSHub"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from dboshub.checks import register_checks
        from dboshub.runtime.django_client import process_client
        from dboshub.web.time_zones import zone_of
        from dboshub.workflows.engine.current_engine import serve_unlaunched
        from dboshub.workflows.installation_check import check_apps
        from dboshub.workflows.rendering.time_zone import serve_zones

        register(check_apps)
        register_checks()
        serve_unlaunched(process_client)
        serve_zones(zone_of)


class _Apps(ModuleType):
    def __call__(self) -> list[str]:
        """The names of the four apps, for `INSTALLED_APPS`."""
        return [*NAMES]


sys.modules[__name__].__class__ = _Apps
