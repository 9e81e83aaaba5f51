"""What to tell people when a page failed because of the database: what is wrong, what to do."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, OperationalError

from workflows.engine.ports import StorageUnavailableError


@dataclass(frozen=True, slots=True)
class Outage:
    """`passes`: trying again may help before anybody has done anything."""

    title: str
    meaning: str
    advice: str
    passes: bool = True


AWAY = Outage(
    "The database does not answer",
    "Without it there is nothing to show. Workflows go on from their last recorded step as soon as"
    " it is back; nothing that was recorded is lost.",
    "Try again in a moment. If it stays away, look whether the database runs and whether this"
    " server reaches it.",
)
SLOW = Outage(
    "The database took too long",
    "A question of this page was given up, so that it does not slow down the workflows.",
    "Try again, or ask for less: a shorter time, a narrower filter.",
)
BUSY = Outage(
    "The database is busy",
    "Another process was writing for longer than this page could wait. Nothing was changed.",
    "Try again in a moment.",
)
READ_ONLY = Outage(
    "The database is read-only",
    "What you asked for has to be written down, and it refuses to be written to.",
    "Point DBOSHUB_DATABASE_URL at a database of the hub's own, or make this one writable.",
    passes=False,
)
UNPREPARED = Outage(
    "The database is not ready for this release",
    "A table or column that this page reads is not there.",
    "Run manage.py migrate; it leaves the rows as they are.",
    passes=False,
)

# SQLSTATEs of PostgreSQL, and how the messages of SQLite begin.
_STATES = {
    "57014": SLOW,
    "25006": READ_ONLY,
    "42P01": UNPREPARED,
    "42703": UNPREPARED,
    "3F000": UNPREPARED,
    "55P03": BUSY,
}
_MESSAGES = {
    "no such table": UNPREPARED,
    "no such column": UNPREPARED,
    "attempt to write a readonly": READ_ONLY,
    "database is locked": BUSY,
    "database table is locked": BUSY,
    "interrupted": SLOW,
}


def outage_of(error: BaseException | None) -> Outage | None:
    """The outage that an error tells of; None if the fault is not the database's."""
    if isinstance(error, StorageUnavailableError):
        return AWAY
    if not isinstance(error, DatabaseError | InterfaceError):
        return None
    state = getattr(error.__cause__, "sqlstate", None)
    if state in _STATES:
        return _STATES[state]
    for beginning, outage in _MESSAGES.items():
        if str(error).startswith(beginning):
            return outage
    return AWAY if isinstance(error, OperationalError | InterfaceError) else None
