"""Workflows as an installed app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import pre_migrate


class WorkflowsConfig(AppConfig):
    name = "dboshub.workflows"
    label = "dboshub_workflows"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "DBOSHub: workflows"

    def ready(self) -> None:
        from dboshub.workflows.system_tables import refuse_unusable_tables

        pre_migrate.connect(refuse_unusable_tables, sender=self)
