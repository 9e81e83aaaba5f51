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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dboshub import error
from dboshub.alias import install_as_dbos
from dboshub.client import DBOSClient
from dboshub.config import DBOSConfig
from dboshub.facade import DBOS
from dboshub.queues.engine.debouncer import Debouncer, DebouncerClient
from dboshub.queues.engine.kafka import KafkaMessage
from dboshub.queues.engine.queue import Queue
from dboshub.runtime.schema_migration import run_dbos_database_migrations
from dboshub.schedules.engine.records import ClientScheduleInput, ScheduleInput, WorkflowSchedule
from dboshub.telemetry.api import OtelContext, PropagateOtelContext
from dboshub.workflows.datasources.async_source import AsyncSQLAlchemyDatasource
from dboshub.workflows.datasources.sync_source import SQLAlchemyDatasource
from dboshub.workflows.engine.errors import PortableWorkflowError
from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.operations.step_reservation import StepOptions, StepReservation
from dboshub.workflows.engine.options import (
    DuplicationPolicy,
    SetEnqueueOptions,
    SetWorkflowAttributes,
    SetWorkflowID,
    SetWorkflowTimeout,
    WorkflowIDReusePolicy,
)
from dboshub.workflows.engine.records import Status as WorkflowStatusString
from dboshub.workflows.engine.records import VersionInfo
from dboshub.workflows.engine.registration.arguments import (
    make_pydantic_args_validator,
    pydantic_args_validator,
)
from dboshub.workflows.engine.registration.decorators import DBOSConfiguredInstance
from dboshub.workflows.engine.registration.roles import DBOSContextEnsure, DBOSContextSetAuth
from dboshub.workflows.engine.runtime.enqueueing import EnqueueOptions
from dboshub.workflows.engine.serialization import (
    DBOSPortableJSONSerializer,
    Serializer,
    WorkflowSerializationFormat,
)
from dboshub.workflows.engine.shard_keys import SetShardKey
from dboshub.workflows.engine.status import StepInfo, WorkflowStatus

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

if TYPE_CHECKING:

    def apps() -> list[str]:
        """The names of the four apps, for `INSTALLED_APPS`."""

else:

    def __getattr__(name: str) -> Any:
        """`dboshub.apps`, a module that can be called: it imports Django, so not before its use."""
        if name == "apps":
            return import_module("dboshub.apps")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
