"""Why a database cannot be connected to: one sentence with the place and the driver's reason.

No message contains a password.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dboshub.workflows.engine.errors import DatabaseUrlError, DBOSInitializationError

# Seconds for the first connection; a URL's own connect_timeout comes first.
REACH_TIMEOUT_S = 2
CONNECT_TIMEOUT_S = 10

_PREFIXES = re.compile(
    r"^(connection (failed|is bad): )?(connection to server (at|on) .*? failed: )?(FATAL:\s+)?",
    re.DOTALL,
)
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_QUESTION = re.compile(r"\s*Is the server running [^?]*\?")


class DatabaseUnreachableError(DatabaseUrlError):
    """No connection to a database: the server or file is away, or refuses.

    `place` names host, port and database, `reason` is the driver's; neither holds a password.
    """

    def __init__(self, place: str, reason: str) -> None:
        DBOSInitializationError.__init__(self, f"Cannot connect to {place}: {reason}")
        self.args = (place, reason)
        self.place = place
        self.reason = reason


def cannot_open(path: Path, error: BaseException) -> DatabaseUnreachableError:
    """The error for a SQLite file that is not there, or that SQLite refuses."""
    if not path.parent.is_dir():
        reason = f"there is no directory {path.parent}"
    elif isinstance(error, FileNotFoundError):
        reason = "there is no such file"
    elif getattr(error, "sqlite_errorname", "") == "SQLITE_READONLY_ROLLBACK":
        reason = "a crash cut a transaction of its application short: start the application once"
    else:
        reason = str(getattr(error, "strerror", None) or error)
    return DatabaseUnreachableError(f"SQLite database {path}", reason)


def cannot_connect(
    parameters: Mapping[str, Any], error: BaseException, *, timeout: float | None = None
) -> DatabaseUnreachableError:
    """The error for a PostgreSQL server that refuses or does not answer.

    `parameters` are those of libpq (``host``, ``port``, ``dbname``, ``user``, ``password``);
    `timeout` is the number of seconds that were waited for an answer.
    """
    reason = reason_of(error, timeout=timeout)
    password = str(parameters.get("password") or "")
    if len(password) > 3:
        reason = reason.replace(password, "***")
    return DatabaseUnreachableError(place_of(parameters), reason)


def place_of(parameters: Mapping[str, Any]) -> str:
    """Where a PostgreSQL database is, as libpq finds it: database, host, port and user."""
    host = parameters.get("host") or os.environ.get("PGHOST") or "the local socket"
    port = parameters.get("port") or os.environ.get("PGPORT") or 5432
    name = parameters.get("dbname") or os.environ.get("PGDATABASE") or ""
    user = parameters.get("user") or os.environ.get("PGUSER")
    who = f" as user {str(user)!r}" if user else ""
    return f"PostgreSQL database {str(name)!r} on {host}, port {port},{who}".rstrip(",")


def reason_of(error: BaseException, *, timeout: float | None = None) -> str:
    """What the driver says, without its repetition of the place, on one line."""
    text = _QUESTION.sub("", str(error))
    if text == "connection timeout expired":
        return "no answer" if timeout is None else f"no answer within {timeout:g} s"
    text = _ERRNO.sub("", _PREFIXES.sub("", text.strip(), count=1))
    return " ".join(text.split()).rstrip(".") or type(error).__name__
