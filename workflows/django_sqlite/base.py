"""SQLite for Django: a file is created by `migrate` alone, and another program's stays as it is.

The option `access` says what connections may do (`dboshub.workflows.storage.access`). With
``shared`` they read without leaving a trace, and become writers with their first transaction.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db.backends.sqlite3 import base

from dboshub.workflows.django_settings import data_dir
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.sqlite_file import (
    FileState,
    create_private,
    how_to_read,
    state_of,
    uri_to_write,
    use_wal,
)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to one file; its name is an absolute path."""

    access = Access.OWN
    _writes = False
    # The state of a file that was opened as immutable; None while SQLite itself sees changes.
    _still: FileState | None = None

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        self.access = Access(params.pop("access", Access.OWN))
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """Open the file. Raises sqlite3.OperationalError where there is none."""
        name = str(conn_params["database"])
        if self.is_in_memory_db():
            return self._open(conn_params, name)
        path = Path(name)
        if self.access is Access.OWN or self._writes:
            return self._open(conn_params, uri_to_write(path))
        try:
            has_writers = self.access is Access.SHARED
            uri, self._still = how_to_read(path, has_writers=has_writers)
        except OSError as error:
            raise sqlite3.OperationalError(f"unable to open database file: {error}") from error
        return self._open(conn_params, uri)

    def _open(self, params: dict[str, Any], name: str) -> sqlite3.Connection:
        opened: sqlite3.Connection = super().get_new_connection({**params, "database": name})
        return opened

    def create_cursor(self, name: str | None = None) -> Any:
        if self._still is not None and not self.in_atomic_block and self._has_changed():
            self._reopen()
        return super().create_cursor(name)

    def close(self) -> None:
        super().close()
        self._writes, self._still = False, None

    def prepare_database(self) -> None:
        """Create the file of `migrate`, and the data directory if it lies there."""
        path = Path(str(self.settings_dict["NAME"]))
        if self.is_in_memory_db() or path.exists() or self.access is not Access.OWN:
            return
        if data_dir() in path.parents:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            create_private(path)
        except OSError as error:
            raise CommandError(f"Cannot create {path}: {error.strerror}.") from error

    def adopt(self) -> None:
        """Let readers and a writer go on side by side, from now on: the file is this project's."""
        if self.access is Access.OWN and not self.is_in_memory_db():
            self.ensure_connection()
            use_wal(self.connection)

    def _start_transaction_under_autocommit(self) -> None:
        if self.access is Access.READ_ONLY:
            # IMMEDIATE would ask for the lock of writers.
            self.cursor().execute("BEGIN")
            return
        if self.access is Access.SHARED and not self._writes:
            self._writes, self._still = True, None
            self._reopen()
        super()._start_transaction_under_autocommit()  # type: ignore[misc]

    def _has_changed(self) -> bool:
        return self._still != state_of(Path(str(self.settings_dict["NAME"])))

    def _reopen(self) -> None:
        """Connect as Django does, outside a transaction: who listens for it is told."""
        self.connection.close()
        self.connect()
