"""Schedules as an installed app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class SchedulesConfig(AppConfig):
    name = "dboshub.schedules"
    label = "dboshub_schedules"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "DBOSHub: schedules"

    def ready(self) -> None:
        from dboshub.workflows.installation_check import check_apps

        register(check_apps)
