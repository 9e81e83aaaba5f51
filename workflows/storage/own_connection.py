"""A connection that one part keeps for itself, so that it waits for no pool."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from dboshub.workflows.storage.database import Connection

C = TypeVar("C", bound=Connection)


class OwnConnection(Generic[C]):
    """Opened when it is needed, and again after an error. One thread at a time uses it."""

    def __init__(self, connect: Callable[[], C]) -> None:
        self._connect = connect
        self._kept: C | None = None

    @contextmanager
    def use(self) -> Iterator[C]:
        """The connection, which an error in this block closes."""
        connection, self._kept = self._kept or self._connect(), None
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._kept = connection

    def close(self) -> None:
        """Close it; the next use opens another one."""
        connection, self._kept = self._kept, None
        if connection is not None:
            connection.close()
