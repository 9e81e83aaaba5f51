"""The queues that code of this process declared, and after launch the table they are rows of."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.current_engine import CLIENT_CONTEXT, current_client
from dboshub.workflows.engine.errors import DBOSException

logger = logging.getLogger("dboshub.queues")

OnConflict = Literal["update_if_latest_version", "always_update", "never_update"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponement:
    """Put off the debounced workflow that waits under a deduplication id."""

    workflow_name: str
    queue_name: str
    deduplication_id: str
    period_ms: int
    inputs: str
    serialization: str
    application_name: str | None = None


class QueueTable(Protocol):
    """The rows of ``queues``, in the name of this application and version."""

    def register(
        self, settings: QueueSettings, on_conflict: OnConflict, application: str | None = None
    ) -> None:
        """Insert, or treat the row that is there as `on_conflict` says."""

    def declare(self, settings: QueueSettings) -> None:
        """Register what code declares, without undoing an operator's later edit."""

    def retrieve(self, name: str) -> QueueSettings | None: ...
    def list_queues(self, applications: Sequence[str] | None) -> list[QueueSettings]: ...
    def update(self, settings: QueueSettings) -> bool:
        """Change the settings of a queue; False if it does not exist."""

    def delete(self, name: str) -> None: ...
    def postpone_debounced(self, wanted: Postponement) -> str | None:
        """The id of the workflow that was put off; None if none waits."""


class QueueRegistry:
    """One per process. Declaring needs no engine: it happens at import."""

    def __init__(self) -> None:
        self._declared: dict[str, QueueSettings] = {}
        self._table: QueueTable | None = None

    def declare(self, settings: QueueSettings) -> None:
        """Remember a queue for launch, or register it now if that is past."""
        known = self._declared.get(settings.name)
        if known is not None and known != settings:
            logger.warning("queue %r was declared again and replaced", settings.name)
        self._declared[settings.name] = settings
        if self._table is not None:
            self._table.declare(settings)

    def declared(self, name: str) -> QueueSettings | None:
        return self._declared.get(name)

    def open(self, table: QueueTable) -> None:
        """At launch: make rows of everything declared. Raises DBOSException for a foreign name."""
        for settings in [*self._declared.values()]:
            table.declare(settings)
        self._table = table

    def close(self) -> None:
        """At the end: declarations stay for the next launch."""
        self._table = None

    def clear(self) -> None:
        self._declared.clear()

    def settings_of(self, name: str) -> QueueSettings | None:
        """The row of a queue; before launch what code declares, if there is no row."""
        is_open = self._table is not None or current_client() is not None
        row = self.table.retrieve(name) if is_open else None
        if row is None and self._table is None and CLIENT_CONTEXT.get() is None:
            return self._declared.get(name)
        return row

    @property
    def table(self) -> QueueTable:
        """That of the client whose call this is, or else; raises DBOSException before launch."""
        client = current_client()
        if client is not None:
            table: QueueTable = client.parts["queues"]
            return table
        if self._table is None:
            raise DBOSException("DBOS is not launched: call DBOS(config=…) and DBOS.launch() first")
        return self._table


queue_registry = QueueRegistry()
