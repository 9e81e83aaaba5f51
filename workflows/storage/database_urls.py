"""Database URLs: checked, read and shown here alone.

``sqlite:///relative/path``, ``sqlite:////absolute/path`` and ``postgresql://user@host:5432/name``,
each also with a driver of SQLAlchemy (``postgresql+psycopg://``), which is not used.

No message contains a password, also where the URL was split at the wrong place because the
password holds a character that a URL reserves.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.storage.sql import Vendor

_VENDORS: dict[str, Vendor] = {
    "sqlite": "sqlite",
    "postgres": "postgresql",
    "postgresql": "postgresql",
}
# A libpq service may name the database.
_NAMED_ELSEWHERE = re.compile(r"(^|&)(service|dbname)=[^&]")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT = re.compile(r"\d{1,5}\Z")
_HIGHEST_PORT = 65_535
_RESERVED = (
    "write reserved characters of the user name and the password percent-encoded: '@' as %40, "
    "'/' as %2F, ':' as %3A, '#' as %23, '?' as %3F, '%' as %25"
)


def mask_password(url: str) -> str:
    """The URL with its password hidden: for every message a person may read.

    All between the first ``:`` after the user and the last ``@`` is hidden, because an unescaped
    password may itself contain ``@`` or ``/``, and because the scheme may be mistyped.
    """
    url = re.sub(r"^([\w+.-]*:?/{0,2}[^:/@\s]*):(?!//)\S*@", r"\1:***@", url)
    return re.sub(r"(?i)(password=)('[^']*'|[^&\s]*)", r"\1***", url)


def is_sqlite(url: str) -> bool:
    return _scheme(url) == "sqlite"


def vendor_of(url: str) -> Vendor:
    """Raises DatabaseUrlError, with the accepted forms, for another database."""
    vendor = _VENDORS.get(_scheme(url))
    if vendor is None:
        raise DatabaseUrlError(
            mask_password(url),
            "it must start with sqlite:/// or postgresql:// (user:password@host:port/name)",
        )
    return vendor


def normalized(url: str) -> str:
    """The URL without a driver, a SQLite file by its absolute path.

    Raises DatabaseUrlError for one that names no database, or that libpq cannot read.
    """
    if vendor_of(url) == "sqlite":
        return sqlite_url(sqlite_path(url))
    libpq_parameters(url)
    return libpq_url(url)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{quote(os.path.abspath(path))}"


def sqlite_path(url: str) -> Path:
    """The file of a SQLite URL. Raises DatabaseUrlError if it names none."""
    place = url.partition(":")[2].split("?", 1)[0]
    path = unquote(place.removeprefix("///"))
    if path in ("", "//", ":memory:"):
        raise DatabaseUrlError(url, "workflows must outlive the process, so SQLite needs a file")
    if not place.startswith("///"):
        raise DatabaseUrlError(
            mask_password(url), "write sqlite:///relative.sqlite3 or sqlite:////absolute.sqlite3"
        )
    return Path(path)


def libpq_url(url: str) -> str:
    """The URL without SQLAlchemy's ``+driver``, as libpq reads it.

    Raises DatabaseUrlError for one that names no database, or that libpq would misread.
    """
    rest = url.partition("://")[2]
    _check_split(url, rest)
    parts = urlsplit(f"postgresql://{rest}")
    if not parts.path.strip("/") and not _NAMED_ELSEWHERE.search(parts.query):
        raise DatabaseUrlError(mask_password(url), "it names no database: add /name at its end")
    return f"postgresql://{rest}"


def libpq_parameters(url: str) -> dict[str, Any]:
    """What a PostgreSQL URL says, by libpq's keywords. Raises DatabaseUrlError as `libpq_url`."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        return conninfo_to_dict(libpq_url(url))
    except psycopg.ProgrammingError as error:
        raise DatabaseUrlError(mask_password(url), str(error).strip()) from None


def with_suffix(url: str, suffix: str) -> str:
    """The URL of the PostgreSQL database whose name has a suffix."""
    parts = urlsplit(libpq_url(url))
    return urlunsplit(parts._replace(path=f"{parts.path}{suffix}"))


def _scheme(url: str) -> str:
    return url.split(":", 1)[0].split("+", 1)[0]


def _check_split(url: str, rest: str) -> None:
    """Raise DatabaseUrlError for a URL that would be split at the wrong place.

    Usually its password holds a reserved character: libpq would take the rest of the password for
    a host, and print it.
    """
    user, place = _split_user(rest)
    hosts = re.split(r"[/?#]", place, maxsplit=1)[0]
    wrong = [port for port in _ports(hosts) if not _is_port(port)]
    if _has_at_sign(place) or re.search(r"[/?#\[\]]", user) or _PERCENT.search(user):
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


def _has_at_sign(place: str) -> bool:
    """Whether an ``@`` is anywhere but in the value of a parameter."""
    path, _, query = place.partition("?")
    return any(
        "@" in each for each in (path, *(each.partition("=")[0] for each in query.split("&")))
    )


def _is_port(text: str) -> bool:
    return bool(_PORT.match(text)) and 0 < int(text) <= _HIGHEST_PORT


def _ports(hosts: str) -> list[str]:
    """The ports of a comma-separated list of hosts; an IPv6 address is in brackets."""
    ends = [each.rpartition("]")[2] for each in hosts.split(",")]
    return [port for each in ends if (port := each.partition(":")[2])]
