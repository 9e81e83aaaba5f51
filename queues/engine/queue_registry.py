"""The queues that code of this process declares and, after launch, the table of queues."""

from __future__ import annotations

import logging

from dboshub.queues.engine.ports import QueueTable
from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.current_engine import (
    CLIENT_CONTEXT,
    current_client,
    not_launched,
)

logger = logging.getLogger("dboshub.queues")


class QueueRegistry:
    """The registry of one process. Queues are declared at import, before an engine exists."""

    def __init__(self) -> None:
        self._declared: dict[str, QueueSettings] = {}
        self._table: QueueTable | None = None

    def declare(self, settings: QueueSettings) -> None:
        """Record a queue, which launch registers; after launch, register it at once."""
        known = self._declared.get(settings.name)
        if known is not None and known != settings:
            logger.warning("queue %r was declared again and replaced", settings.name)
        self._declared[settings.name] = settings
        if self._table is not None:
            self._table.declare(settings)

    def declared(self, name: str) -> QueueSettings | None:
        """The settings that code declared for a queue, or None."""
        return self._declared.get(name)

    def open(self, table: QueueTable) -> None:
        """At launch: register all declared queues.

        Raises DBOSException for a name that another application owns.
        """
        for settings in [*self._declared.values()]:
            table.declare(settings)
        self._table = table

    def close(self) -> None:
        """At the end of the engine: forget the table. Declarations stay for the next launch."""
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
        """The table of the calling client or the engine. Raises DBOSException before launch."""
        client = current_client()
        if client is not None:
            table: QueueTable = client.parts["queues"]
            return table
        if self._table is None:
            raise not_launched()
        return self._table


queue_registry = QueueRegistry()
