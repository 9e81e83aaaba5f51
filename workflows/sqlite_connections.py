"""Makes Django's connections to a SQLite system database fit for several writing processes, and
for text of any program.

By default a transaction of Django's on SQLite begins as a reader. When it turns to writing after
another process has written, SQLite refuses at once with "database is locked": waiting could not
help, as what the transaction has read is old. One that begins IMMEDIATE waits for its turn.
"""

from __future__ import annotations

from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from dboshub.workflows.django_database_url import is_in_memory
from dboshub.workflows.django_settings import system_alias
from dboshub.workflows.storage.stored_values import lenient_text

# Options of DATABASES that a project may set itself: then they stay as they are.
MODE_OPTION, TIMEOUT_OPTION = "transaction_mode", "timeout"
IMMEDIATE = "IMMEDIATE"
BUSY_TIMEOUT_MS = 20_000


def begin_immediately(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """What ``connection_created`` calls: transactions begin IMMEDIATE, and wait for 20 s."""
    if connection.vendor != "sqlite" or connection.alias != system_alias():
        return
    options = connection.settings_dict["OPTIONS"]
    if is_in_memory(connection):
        return
    if MODE_OPTION not in options:
        connection.transaction_mode = IMMEDIATE  # type: ignore[attr-defined]  # SQLite's alone
    if TIMEOUT_OPTION not in options:
        connection.connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")


def read_any_text(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    """What ``connection_created`` calls: text that is no UTF-8 is read, and not an error."""
    if connection.vendor == "sqlite" and connection.alias == system_alias():
        connection.connection.text_factory = lenient_text
