"""Schedules as an installed app."""

from __future__ import annotations

from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "dboshub.schedules"
    label = "dboshub_schedules"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "DBOSHub: schedules"
