"""DBOSHub: durable workflows in Python.

    from dboshub import DBOS

    @DBOS.step()
    def charge(order: str) -> str: ...

    @DBOS.workflow()
    def checkout(order: str) -> str:
        return charge(order)

Importing this imports no Django, and a name's module only when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dboshub import error
    from dboshub.alias import install_as_dbos
    from dboshub.client import DBOSClient
    from dboshub.config import DBOSConfig
    from dboshub.facade import DBOS
    from dboshub.queues.engine.debouncer import Debouncer, DebouncerClient
    from dboshub.queues.engine.kafka import KafkaMessage
    from dboshub.queues.engine.queue import Queue
    from dboshub.runtime.schema_migration import run_dbos_database_migrations
    from dboshub.schedules.engine.records import (
        ClientScheduleInput,
        ScheduleInput,
        WorkflowSchedule,
    )
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
    from dboshub.workflows.engine.runtime.call_options import EnqueueOptions
    from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
    from dboshub.workflows.engine.serialization import (
        DBOSPortableJSONSerializer,
        Serializer,
        WorkflowSerializationFormat,
    )
    from dboshub.workflows.engine.shard_keys import SetShardKey
    from dboshub.workflows.engine.status import StepInfo, WorkflowStatus

    def apps() -> list[str]:
        """The names of the four apps, for `INSTALLED_APPS` of a Django project."""


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
    "WorkflowCall",
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

# Each public name's module, and after a colon its name there, if that is another.
_HOMES = {
    "DBOS": "dboshub.facade",
    "AsyncSQLAlchemyDatasource": "dboshub.workflows.datasources.async_source",
    "ClientScheduleInput": "dboshub.schedules.engine.records",
    "DBOSClient": "dboshub.client",
    "DBOSConfig": "dboshub.config",
    "DBOSConfiguredInstance": "dboshub.workflows.engine.registration.decorators",
    "DBOSContextEnsure": "dboshub.workflows.engine.registration.roles",
    "DBOSContextSetAuth": "dboshub.workflows.engine.registration.roles",
    "DBOSPortableJSONSerializer": "dboshub.workflows.engine.serialization",
    "Debouncer": "dboshub.queues.engine.debouncer",
    "DebouncerClient": "dboshub.queues.engine.debouncer",
    "DuplicationPolicy": "dboshub.workflows.engine.options",
    "EnqueueOptions": "dboshub.workflows.engine.runtime.call_options",
    "KafkaMessage": "dboshub.queues.engine.kafka",
    "OtelContext": "dboshub.telemetry.api",
    "PortableWorkflowError": "dboshub.workflows.engine.errors",
    "PropagateOtelContext": "dboshub.telemetry.api",
    "Queue": "dboshub.queues.engine.queue",
    "SQLAlchemyDatasource": "dboshub.workflows.datasources.sync_source",
    "ScheduleInput": "dboshub.schedules.engine.records",
    "SendMessage": "dboshub.workflows.engine.operations.sending",
    "Serializer": "dboshub.workflows.engine.serialization",
    "SetEnqueueOptions": "dboshub.workflows.engine.options",
    "SetShardKey": "dboshub.workflows.engine.shard_keys",
    "SetWorkflowAttributes": "dboshub.workflows.engine.options",
    "SetWorkflowID": "dboshub.workflows.engine.options",
    "SetWorkflowTimeout": "dboshub.workflows.engine.options",
    "StepInfo": "dboshub.workflows.engine.status",
    "StepOptions": "dboshub.workflows.engine.operations.step_reservation",
    "StepReservation": "dboshub.workflows.engine.operations.step_reservation",
    "VersionInfo": "dboshub.workflows.engine.records",
    "WorkflowCall": "dboshub.workflows.engine.runtime.workflow_call",
    "WorkflowHandle": "dboshub.workflows.engine.handles",
    "WorkflowHandleAsync": "dboshub.workflows.engine.handles",
    "WorkflowIDReusePolicy": "dboshub.workflows.engine.options",
    "WorkflowSchedule": "dboshub.schedules.engine.records",
    "WorkflowSerializationFormat": "dboshub.workflows.engine.serialization",
    "WorkflowStatus": "dboshub.workflows.engine.status",
    "WorkflowStatusString": "dboshub.workflows.engine.records:Status",
    "apps": "dboshub.apps",  # a module that can be called; it imports Django
    "error": "dboshub.error",
    "install_as_dbos": "dboshub.alias",
    "make_pydantic_args_validator": "dboshub.workflows.engine.registration.arguments",
    "pydantic_args_validator": "dboshub.workflows.engine.registration.arguments",
    "run_dbos_database_migrations": "dboshub.runtime.schema_migration",
}
_SUBMODULES = {"apps", "error"}

if not TYPE_CHECKING:  # a checker that saw this would accept any name

    def __getattr__(name: str) -> Any:
        """Import a public name on first use (PEP 562)."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module, _, attribute = _HOMES[name].partition(":")
        found = import_module(module)
        if name not in _SUBMODULES:
            found = getattr(found, attribute or name)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
