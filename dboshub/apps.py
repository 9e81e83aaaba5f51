"""The project as an installed app: commands, the login throttle's table, checks."""

from __future__ import annotations

from django.apps import AppConfig


class DboshubConfig(AppConfig):
    name = "dboshub"
    verbose_name = "DBOSHub"
