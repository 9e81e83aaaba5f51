"""What people decided about incidents: to ignore one, or who takes care of it.

Whether an incident is open or resolved is no decision: facts tell.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models


class IncidentDecision(models.Model):
    """The decisions about one incident. Times are epoch milliseconds.

    `kind` and `key` name the incident; the key of failed work tells nothing of its error. An empty
    `ignored` means that it is not ignored. Names are copies, because accounts may be deleted.
    """

    class Ignored(models.TextChoices):
        SEEN = "seen", "until it happens again"
        VERSION = "version", "until another version fails"
        UNTIL = "until", "until a time"
        ALWAYS = "always", "always"

    kind = models.CharField(max_length=20)
    key = models.TextField()
    application_name = models.TextField(blank=True)
    ignored = models.CharField(max_length=10, choices=Ignored.choices, blank=True)
    ignored_at = models.BigIntegerField(null=True)
    ignored_until = models.BigIntegerField(null=True)
    ignored_versions = models.JSONField(default=list, blank=True)
    ignored_by = models.CharField(max_length=150, blank=True)
    why = models.TextField(blank=True)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    assignee_name = models.CharField(max_length=150, blank=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_incident_decision"
        default_permissions = ()
        permissions = [("decide_incident", "Can ignore incidents and assign them")]
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="incident_decision_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}: {self.ignored or 'not ignored'}"
