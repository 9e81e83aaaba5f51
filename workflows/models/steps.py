"""Recorded steps, and failed attempts of steps."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.system_tables import system_table


class Step(StoredRow):
    """One checkpoint: replay returns it instead of calling the function again."""

    pk = models.CompositePrimaryKey("workflow_uuid", "function_id")
    workflow_uuid = models.TextField("workflow id")
    function_id = models.IntegerField("step")
    function_name = models.TextField("name", default="")
    output = models.TextField(null=True)
    error = models.TextField(null=True)
    child_workflow_id = models.TextField(null=True)
    started_at_epoch_ms = models.BigIntegerField(null=True)
    completed_at_epoch_ms = models.BigIntegerField(null=True)
    serialization = models.TextField(null=True)
    application_name = models.TextField(null=True)
    retention_timestamp = models.BigIntegerField(default=now_ms)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("operation_outputs")
        default_permissions = ()

    def __str__(self) -> str:
        return f"step {self.function_id} of {self.workflow_uuid}"


class Attempt(StoredRow):
    """A failed attempt of a retried step. The system tables keep only the last outcome."""

    pk = models.CompositePrimaryKey("workflow_uuid", "function_id", "attempt")
    workflow_uuid = models.TextField("workflow id")
    function_id = models.IntegerField("step")
    attempt = models.IntegerField()
    error = models.TextField(null=True)
    message = models.TextField(null=True)
    failed_at = models.BigIntegerField(default=now_ms)
    next_at = models.BigIntegerField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("dboshub_attempt")
        default_permissions = ()

    def __str__(self) -> str:
        return f"attempt {self.attempt} at step {self.function_id} of {self.workflow_uuid}"
