"""How each person has the list of workflows: which columns in which order, and how dense."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class ListLayout(models.Model):
    """The list of one person. `columns` is as the query string writes it, empty for the default."""

    class Density(models.TextChoices):
        COMFORTABLE = "", "Comfortable"
        COMPACT = "compact", "Compact"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", primary_key=True
    )
    columns = models.TextField(blank=True)
    density = models.CharField(max_length=10, choices=Density.choices, blank=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_list_layout"
        default_permissions = ()

    def __str__(self) -> str:
        return self.columns or "the default columns"
