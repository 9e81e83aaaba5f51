"""Events, streams and messages of workflows."""

from __future__ import annotations

from django.db import models

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models.stored_row import StoredRow
from dboshub.workflows.system_tables import system_table


class Event(StoredRow):
    """The latest value of an event key of a workflow."""

    pk = models.CompositePrimaryKey("workflow_uuid", "key")
    workflow_uuid = models.TextField("workflow id")
    key = models.TextField()
    value = models.TextField()
    serialization = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("workflow_events")
        default_permissions = ()

    def __str__(self) -> str:
        return f"event {self.key} of {self.workflow_uuid}"


class EventHistory(StoredRow):
    """Every value of an event key, with the step that set it; forks copy from here."""

    pk = models.CompositePrimaryKey("workflow_uuid", "function_id", "key")
    workflow_uuid = models.TextField("workflow id")
    function_id = models.IntegerField("step")
    key = models.TextField()
    value = models.TextField()
    serialization = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("workflow_events_history")
        default_permissions = ()

    def __str__(self) -> str:
        return f"event {self.key} of {self.workflow_uuid} at step {self.function_id}"


class StreamValue(StoredRow):
    """One value of a stream. Offsets begin at 0 and have no gaps."""

    pk = models.CompositePrimaryKey("workflow_uuid", "key", "offset")
    workflow_uuid = models.TextField("workflow id")
    key = models.TextField()
    value = models.TextField()
    offset = models.IntegerField()
    function_id = models.IntegerField("step", default=0)
    serialization = models.TextField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("streams")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.key}[{self.offset}] of {self.workflow_uuid}"


class Message(StoredRow):
    """A message to a workflow; it is kept after it was consumed."""

    message_uuid = models.TextField("message id", primary_key=True)
    destination_uuid = models.TextField("workflow id")
    topic = models.TextField(null=True)
    message = models.TextField()
    created_at_epoch_ms = models.BigIntegerField(default=now_ms)
    serialization = models.TextField(null=True)
    consumed = models.BooleanField(default=False)
    consumed_by_function_id = models.IntegerField(null=True)

    class Meta:
        app_label = "dboshub_workflows"
        db_table = system_table("notifications")
        default_permissions = ()

    def __str__(self) -> str:
        return f"message {self.message_uuid} to {self.destination_uuid}"
