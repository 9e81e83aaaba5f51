"""The audit log: actions through the hub, and refusals."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from dboshub.workflows.clock import now_ms


class AuditEvent(models.Model):
    """One action of one user. It is never changed after it has ended."""

    class Outcome(models.TextChoices):
        STARTED = "started"
        DONE = "done"
        REFUSED = "refused"

    at = models.BigIntegerField(default=now_ms)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", db_index=False
    )
    # A copy, because the account may be deleted.
    username = models.CharField(max_length=150)
    address = models.CharField(max_length=45, blank=True)
    action = models.CharField(max_length=40)
    target_kind = models.CharField(max_length=20)
    target = models.TextField()
    # The application of the target; empty if it has none, NULL for what is not of an application.
    application_name = models.TextField(null=True)
    reason = models.TextField(blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.STARTED)
    detail = models.JSONField(default=dict, blank=True)
    # What was changed: text and format of the `old` and of the `new` value, and whether it is cut.
    payload = models.JSONField(null=True, blank=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_audit_event"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_event_newest"),
            models.Index(fields=["target_kind", "target", "-at"], name="audit_event_of_target"),
            models.Index(fields=["user", "-at"], name="audit_event_of_user"),
        ]

    def __str__(self) -> str:
        return f"{self.username}: {self.action} {self.target} ({self.outcome})"

    def end(self, outcome: AuditEvent.Outcome) -> None:
        """Record the outcome."""
        self.outcome = outcome
        self.save()
