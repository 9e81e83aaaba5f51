"""Queues as an installed app."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register


class QueuesConfig(AppConfig):
    name = "dboshub.queues"
    label = "dboshub_queues"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "DBOSHub: queues"

    def ready(self) -> None:
        from dboshub.queues.why_not.answer import brief, explain
        from dboshub.workflows.installation_check import check_apps
        from dboshub.workflows.rendering.reason import explain_waiting_by

        register(check_apps)
        explain_waiting_by(in_full=explain, in_brief=brief)
