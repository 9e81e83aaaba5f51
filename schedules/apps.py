"""Schedules as an installed app."""

from __future__ import annotations

from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "dboshub.schedules"
    label = "dboshub_schedules"
    verbose_name = "DBOSHub: schedules"
