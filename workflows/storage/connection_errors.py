"""Why a database cannot be connected to: one sentence with the place and the driver's reason.

No message contains a password, also where the URL was split at the wrong place because the
password holds a character that a URL reserves.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from dboshub.workflows.engine.errors import DatabaseUrlError, DBOSInitializationError

_PREFIXES = re.compile(
    r"^(connection (failed|is bad): )?(connection to server (at|on) .*? failed: )?(FATAL:\s+)?",
    re.DOTALL,
)
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_QUESTION = re.compile(r"\s*Is the server running [^?]*\?")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile(r"\d{1,5}\Z")
_HIGHEST_PORT = 65_535
_RESERVED = (
    "write reserved characters of the user name and the password percent-encoded: '@' as %40, "
    "'/' as %2F, ':' as %3A, '#' as %23, '?' as %3F, '%' as %25"
)


class DatabaseUnreachableError(DatabaseUrlError):
    """No connection to the system database: the server or file is away, or refuses.

    `place` names host, port and database, `reason` is the driver's; neither holds a password.
    """

    def __init__(self, place: str, reason: str) -> None:
        DBOSInitializationError.__init__(self, f"Cannot connect to {place}: {reason}")
        self.args = (place, reason)
        self.place = place
        self.reason = reason


def mask_password(url: str) -> str:
    """The URL with its password hidden: for every message a person may read.

    All between the first ``:`` after the user and the last ``@`` is hidden, because an unescaped
    password may itself contain ``@`` or ``/``, and because the scheme may be mistyped.
    """
    url = re.sub(r"^([\w+.-]*:?/{0,2}[^:/@\s]*):(?!//)\S*@", r"\1:***@", url)
    return re.sub(r"(?i)(password=)('[^']*'|[^&\s]*)", r"\1***", url)


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


def check_postgres_url(url: str) -> None:
    """Raise DatabaseUrlError for a URL that would be split at the wrong place.

    Usually its password holds a reserved character: libpq would take the rest of the password for
    a host, and print it.
    """
    user, place = _split_user(url.partition("://")[2])
    hosts = re.split(r"[/?#]", place, maxsplit=1)[0]
    wrong = [port for port in _ports(hosts) if not _is_port(port)]
    if "@" in hosts or re.search(r"[/?#\[\]]", user) or _PERCENT.search(user):
        raise DatabaseUrlError(mask_password(url), _RESERVED)
    if wrong:
        raise DatabaseUrlError(
            mask_password(url), f"port {wrong[0]!r} is not a number from 1 to {_HIGHEST_PORT}"
        )


def _split_user(rest: str) -> tuple[str, str]:
    """User with password, and place; an ``@`` in the query belongs to neither."""
    user, at, place = rest.partition("@")
    authority = re.split(r"[/?#]", user, maxsplit=1)[0]
    is_in_query = "?" in user and all(map(_is_port, _ports(authority)))
    return (user, place) if at and not is_in_query else ("", rest)


def _is_port(text: str) -> bool:
    return bool(_PORT.match(text)) and 0 < int(text) <= _HIGHEST_PORT


def _ports(hosts: str) -> list[str]:
    """The ports of a comma-separated list of hosts; an IPv6 address is in brackets."""
    ends = [each.rpartition("]")[2] for each in hosts.split(",")]
    return [port for each in ends if (port := each.partition(":")[2])]
