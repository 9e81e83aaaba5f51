"""Workflows with their input and outcome."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.engine.records import Status
from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.system_tables import system_table


class Workflow(StoredRow):
    """One run of a registered workflow function."""

    workflow_uuid = models.TextField("workflow id", primary_key=True)
    status = models.TextField(null=True, choices=[(each.value, each.value) for each in Status])
    name = models.TextField(null=True)
    authenticated_user = models.TextField(null=True)
    assumed_role = models.TextField(null=True)
    authenticated_roles = models.TextField(null=True)
    request = models.TextField(null=True)
    output = models.TextField(null=True)
    error = models.TextField(null=True)
    executor_id = models.TextField(null=True)
    created_at = models.BigIntegerField(default=now_ms)
    updated_at = models.BigIntegerField(default=now_ms)
    application_version = models.TextField(null=True)
    application_id = models.TextField(null=True)
    class_name = models.CharField(max_length=255, null=True)
    config_name = models.CharField(max_length=255, null=True)
    recovery_attempts = models.BigIntegerField(null=True, default=0)
    queue_name = models.TextField(null=True)
    workflow_timeout_ms = models.BigIntegerField(null=True)
    workflow_deadline_epoch_ms = models.BigIntegerField(null=True)
    inputs = models.TextField(null=True)
    started_at_epoch_ms = models.BigIntegerField(null=True)
    deduplication_id = models.TextField(null=True)
    priority = models.IntegerField(default=0)
    queue_partition_key = models.TextField(null=True)
    forked_from = models.TextField(null=True)
    owner_xid = models.TextField(null=True)
    parent_workflow_id = models.TextField(null=True)
    serialization = models.TextField(null=True)
    delay_until_epoch_ms = models.BigIntegerField(null=True)
    was_forked_from = models.BooleanField(default=False)
    rate_limited = models.BooleanField(default=False)
    completed_at = models.BigIntegerField(null=True)
    attributes = models.JSONField(null=True)
    schedule_name = models.TextField(null=True)
    debounce_deadline_epoch_ms = models.BigIntegerField(null=True)
    is_debounced = models.BooleanField(default=False)
    application_name = models.TextField(null=True)
    creator_xid = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("workflow_status")
        default_permissions = ("view", "delete")
        permissions = [
            ("view_payload", "Can see inputs, outputs, errors, events, messages and streams"),
            ("cancel_workflow", "Can cancel workflows"),
            ("resume_workflow", "Can resume workflows"),
            ("fork_workflow", "Can fork workflows"),
            ("edit_run", "Can fork workflows with changed input or results"),
            ("start_workflow", "Can start workflows"),
            ("send_message", "Can send messages to workflows"),
        ]

    def __str__(self) -> str:
        return self.workflow_uuid


class WorkflowInput(StoredRow):
    """The serialized arguments of a workflow."""

    workflow_uuid = models.TextField("workflow id", primary_key=True)
    inputs = models.TextField(null=True)
    retention_timestamp = models.BigIntegerField(default=now_ms)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("workflow_input")
        default_permissions = ()

    def __str__(self) -> str:
        return f"input of {self.workflow_uuid}"


class WorkflowOutput(StoredRow):
    """The serialized result or error of an ended workflow; exactly one of them is set."""

    workflow_uuid = models.TextField("workflow id", primary_key=True)
    output = models.TextField(null=True)
    error = models.TextField(null=True)
    retention_timestamp = models.BigIntegerField(default=now_ms)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("workflow_output")
        default_permissions = ()

    def __str__(self) -> str:
        return f"outcome of {self.workflow_uuid}"
