"""What connections to a system database may do to it."""

from __future__ import annotations

from enum import StrEnum

from dboshub.workflows.storage.database_urls import is_sqlite

# A startup option of PostgreSQL's sessions.
READ_ONLY_OPTION = "-c default_transaction_read_only=on"


class Access(StrEnum):
    """`OWN`: this project made or adopted it, so SQLite runs in WAL mode, and a launch creates it.

    `SHARED`: it is another program's: rows are written, nothing else is created or switched.
    `READING`: these connections write nothing, other connections of this process may.
    `READ_ONLY`: nothing in this process writes.
    """

    OWN = "own"
    SHARED = "shared"
    READING = "reading"
    READ_ONLY = "read_only"

    @property
    def is_foreign(self) -> bool:
        return self is not Access.OWN


def access_to_read(url: str) -> Access:
    """How to look at a database of which nothing is known yet, not whether a pooler is in between.

    A SQLite file could be changed by being opened, a PostgreSQL database only by a statement.
    """
    return Access.READ_ONLY if is_sqlite(url) else Access.SHARED
