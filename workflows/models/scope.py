"""The applications that the members of a group may see.

A group that ever had a rule stays limited: without its last rule its members see nothing. Only
deleting its GroupScope, which is an act of its own, lets them see everything.
"""

from __future__ import annotations

from django.contrib.auth.models import Group
from django.db import models


class GroupScope(models.Model):
    """A group whose members see only what its rules name."""

    group = models.OneToOneField(Group, models.PROTECT, related_name="scope")

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_group_scope"
        verbose_name = "limited group"

    def __str__(self) -> str:
        return f"{self.group} sees only what its scope rules name"


class ScopeRule(models.Model):
    """An application that a group may see. Users without a limited group see all applications."""

    group = models.ForeignKey(Group, models.PROTECT, related_name="scope_rules")
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


def limit_group(instance: ScopeRule, **_: object) -> None:
    """Keep in mind that a group is limited, before its rule can be deleted or moved."""
    GroupScope.objects.get_or_create(group_id=instance.group_id)
