"""The project as an installed app: commands, the login throttle's table, checks."""

from __future__ import annotations

from django.apps import AppConfig


class DboshubConfig(AppConfig):
    name = "dboshub"
    verbose_name = "DBOSHub"

    def ready(self) -> None:
        from dboshub.runtime.django_client import process_client
        from dboshub.workflows.engine.current_engine import serve_unlaunched

        serve_unlaunched(process_client)
