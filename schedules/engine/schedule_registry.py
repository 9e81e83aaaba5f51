"""The schedules that code of this process declares and, after launch, the table and ticker."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dboshub.schedules.engine.cron import Cron
from dboshub.schedules.engine.records import Schedule
from dboshub.schedules.engine.runs import Runs
from dboshub.schedules.engine.signatures import FOR_DECORATOR, warn_of_signature
from dboshub.workflows.engine.current_engine import current_client, not_launched
from dboshub.workflows.engine.registration.registry import Registry, Target


class ScheduleTable(Protocol):
    """The rows of ``workflow_schedules`` of one application, and those without an owner."""

    def create(self, schedule: Schedule) -> None: ...
    def apply(self, wanted: Sequence[Schedule]) -> None: ...
    def find(self, **filters: Any) -> list[Schedule]: ...
    def set_status(self, name: str, status: str) -> bool: ...
    def delete(self, name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class ScheduleServices:
    """The services of a launched engine or of a client."""

    table: ScheduleTable
    runs: Runs
    wake: Callable[[], None]  # makes the ticker, if there is one, read the table again


class ScheduleRegistry:
    """The registry of one process. Schedules are declared at import, before an engine exists."""

    def __init__(self) -> None:
        self.declared: dict[str, str] = {}
        self._services: ScheduleServices | None = None

    def declare(self, workflow_name: str, cron: str) -> None:
        """Record ``@DBOS.scheduled``; launch creates a row of it, named like its workflow."""
        Cron(cron)
        self.declared[workflow_name] = cron

    def rows(self, registry: Registry, application: str, context: str) -> list[Schedule]:
        """The declared schedules whose workflows are registered; warns of what cannot be called."""
        for name in self.declared.keys() & registry.workflows.keys():
            warn_of_signature(Target(registry.workflows[name]), *FOR_DECORATOR)
        return [
            Schedule(
                schedule_id=str(uuid.uuid4()),
                schedule_name=name,
                workflow_name=name,
                workflow_class_name=Target(registry.workflows[name]).class_name,
                schedule=cron,
                context=context,
                application_name=application,
            )
            for name, cron in self.declared.items()
            if name in registry.workflows
        ]

    def open(self, services: ScheduleServices) -> None:
        self._services = services

    def close(self) -> None:
        """At the end of the engine. Declarations stay for the next launch."""
        self._services = None

    def clear(self) -> None:
        self.declared.clear()

    @property
    def services(self) -> ScheduleServices:
        """The services of the calling client or the engine. Raises DBOSException before launch."""
        client = current_client()
        if client is not None:
            services: ScheduleServices = client.parts["schedules"]
            return services
        if self._services is None:
            raise not_launched()
        return self._services


schedule_registry = ScheduleRegistry()
