"""The applications that the members of a group may see."""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models


class ScopeRule(models.Model):
    """An application that a group may see. Users without such a group see all applications."""

    group = models.ForeignKey(Group, models.CASCADE, related_name="scope_rules")
    application = models.CharField(
        max_length=255, blank=True, help_text="Empty: what names no application."
    )

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_scope_rule"
        constraints = [
            models.UniqueConstraint(fields=["group", "application"], name="one_scope_rule_each"),
        ]

    def __str__(self) -> str:
        return f"{self.group} sees {self.application or 'what names no application'}"
