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

from dboshub import error
from dboshub.alias import install_as_dbos
from dboshub.client import DBOSClient
from dboshub.config import DBOSConfig
from dboshub.facade import DBOS
from dboshub.migrating import run_dbos_database_migrations
from dboshub.telemetry.api import OtelContext, PropagateOtelContext
from queues.engine.debouncer import Debouncer, DebouncerClient
from queues.engine.kafka import KafkaMessage
from queues.engine.queue import Queue
from schedules.engine.records import ClientScheduleInput, ScheduleInput, WorkflowSchedule
from workflows.datasources.awaiting import AsyncSQLAlchemyDatasource
from workflows.datasources.blocking import SQLAlchemyDatasource
from workflows.engine.arguments import make_pydantic_args_validator, pydantic_args_validator
from workflows.engine.decorators import DBOSConfiguredInstance
from workflows.engine.enqueueing import EnqueueOptions
from workflows.engine.errors import PortableWorkflowError
from workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from workflows.engine.options import (
    DuplicationPolicy,
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
    WorkflowIDReusePolicy,
)
from workflows.engine.records import Status as WorkflowStatusString
from workflows.engine.records import VersionInfo
from workflows.engine.reserving import StepOptions, StepReservation
from workflows.engine.roles import DBOSContextEnsure, DBOSContextSetAuth
from workflows.engine.sending import SendMessage
from workflows.engine.serialization import (
    DBOSPortableJSONSerializer,
    Serializer,
    WorkflowSerializationFormat,
)
from workflows.engine.sharding import SetShardKey
from workflows.engine.status import StepInfo, WorkflowStatus

__all__ = [
    "DBOS",
    "AsyncSQLAlchemyDatasource",
    "ClientScheduleInput",
    "DBOSClient",
    "DBOSConfig",
    "DBOSConfiguredInstance",
    "DBOSContextEnsure",
    "DBOSContextSetAuth",
    "DBOSPortableJSONSerializer",
    "Debouncer",
    "DebouncerClient",
    "DuplicationPolicy",
    "EnqueueOptions",
    "KafkaMessage",
    "OtelContext",
    "PortableWorkflowError",
    "PropagateOtelContext",
    "Queue",
    "SQLAlchemyDatasource",
    "ScheduleInput",
    "SendMessage",
    "Serializer",
    "SetEnqueueOptions",
    "SetShardKey",
    "SetWorkflowAttributes",
    "SetWorkflowID",
    "SetWorkflowTimeout",
    "StepInfo",
    "StepOptions",
    "StepReservation",
    "VersionInfo",
    "WorkflowHandle",
    "WorkflowHandleAsync",
    "WorkflowIDReusePolicy",
    "WorkflowSchedule",
    "WorkflowSerializationFormat",
    "WorkflowStatus",
    "WorkflowStatusString",
    "error",
    "install_as_dbos",
    "make_pydantic_args_validator",
    "pydantic_args_validator",
    "run_dbos_database_migrations",
]
