"""What actions of the hub changed in the rows of workflows, so that it can be put back."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.models.bulk import BulkJob


class Change(models.Model):
    """The columns of a workflow before an action of the hub changed them; written before it does.

    `at` (epoch ms) is the `updated_at` that the action gives the row: while the row has it, nobody
    else has changed it. A single action belongs to no job.
    """

    job = models.ForeignKey(
        BulkJob, models.CASCADE, null=True, related_name="changes", db_index=False
    )
    workflow_id = models.TextField()
    at = models.BigIntegerField()
    was = models.JSONField()
    # The queue it came from, empty if it had none; NULL if that is not known.
    queue = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = "dboshub_change"
        default_permissions = ()
        indexes = [
            models.Index(fields=["workflow_id", "at"], name="change_of_workflow"),
            models.Index(fields=["at"], name="change_oldest"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["job", "workflow_id"], name="change_once_a_job")
        ]

    def __str__(self) -> str:
        return f"{self.workflow_id} before {self.at}"
