"""The Django app of workflows."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.checks import register
from django.db.backends.signals import connection_created
from django.db.models.signals import post_save, pre_delete, pre_migrate


class WorkflowsConfig(AppConfig):
    name = "dboshub.workflows"
    label = "dboshub_workflows"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "DBOSHub: workflows"

    def ready(self) -> None:
        from dboshub.workflows.installation_check import check_apps
        from dboshub.workflows.models.scope import ScopeRule, limit_group
        from dboshub.workflows.sqlite_connections import begin_immediately, read_any_text
        from dboshub.workflows.system_tables import adopt_database

        register(check_apps)
        connection_created.connect(begin_immediately)
        connection_created.connect(read_any_text)
        pre_migrate.connect(adopt_database, sender=self)
        post_save.connect(limit_group, sender=ScopeRule)
        pre_delete.connect(limit_group, sender=ScopeRule)
