"""Models of the system tables and of the hub's own tables. Field names are column names.

`storage/schema` creates the system tables and statements in `storage` write them: the ORM only
reads them. Audit events, bulk jobs, changes, scopes and rollups are ordinary tables of the hub.
"""

from __future__ import annotations

from dboshub.workflows.models.audit import AuditEvent
from dboshub.workflows.models.bulk import BulkItem, BulkJob
from dboshub.workflows.models.changes import Change
from dboshub.workflows.models.communication import Event, EventHistory, Message, StreamValue
from dboshub.workflows.models.executors import ApplicationVersion, Executor
from dboshub.workflows.models.incidents import IncidentDecision
from dboshub.workflows.models.layouts import ListLayout
from dboshub.workflows.models.rollups import Lease, QueueSample, RolledSpan, Rollup
from dboshub.workflows.models.scope import GroupScope, ScopeRule
from dboshub.workflows.models.steps import Attempt, Step
from dboshub.workflows.models.workflow import Workflow, WorkflowInput, WorkflowOutput

__all__ = [
    "ApplicationVersion",
    "Attempt",
    "AuditEvent",
    "BulkItem",
    "BulkJob",
    "Change",
    "Event",
    "EventHistory",
    "Executor",
    "GroupScope",
    "IncidentDecision",
    "Lease",
    "ListLayout",
    "Message",
    "QueueSample",
    "RolledSpan",
    "Rollup",
    "ScopeRule",
    "Step",
    "StreamValue",
    "Workflow",
    "WorkflowInput",
    "WorkflowOutput",
]
