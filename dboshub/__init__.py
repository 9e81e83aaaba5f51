"""DBOSHub: durable workflows in Python.

    from dboshub import DBOS

    @DBOS.step()
    def charge(order: str) -> str: ...

    @DBOS.workflow()
    def checkout(order: str) -> str:
        return charge(order)

Importing this imports no Django.
"""

from __future__ import annotations

from dboshub.config import DBOSConfig
from dboshub.facade import DBOS
from queues.engine.queue import Queue
from workflows.engine.arguments import make_pydantic_args_validator, pydantic_args_validator
from workflows.engine.decorators import DBOSConfiguredInstance
from workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from workflows.engine.options import (
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
)
from workflows.engine.records import Status as WorkflowStatusString
from workflows.engine.records import VersionInfo
from workflows.engine.reserving import StepReservation
from workflows.engine.roles import DBOSContextSetAuth
from workflows.engine.sending import SendMessage
from workflows.engine.serialization import (
    DBOSPortableJSONSerializer,
    Serializer,
    WorkflowSerializationFormat,
)
from workflows.engine.status import StepInfo, WorkflowStatus

__all__ = [
    "DBOS",
    "DBOSConfig",
    "DBOSConfiguredInstance",
    "DBOSContextSetAuth",
    "DBOSPortableJSONSerializer",
    "Queue",
    "SendMessage",
    "Serializer",
    "SetEnqueueOptions",
    "SetWorkflowAttributes",
    "SetWorkflowID",
    "SetWorkflowTimeout",
    "StepInfo",
    "StepReservation",
    "VersionInfo",
    "WorkflowHandle",
    "WorkflowHandleAsync",
    "WorkflowSerializationFormat",
    "WorkflowStatus",
    "WorkflowStatusString",
    "make_pydantic_args_validator",
    "pydantic_args_validator",
]
