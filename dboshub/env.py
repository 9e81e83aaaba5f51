"""Typed reading of the environment; nonsense stops the start with a sentence naming the variable.

Only settings.py and management commands call this. No Django here.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit, urlunsplit

from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.environment import (
    EnvironmentValueError,
    choice,
    flag,
    hosts,
    identifier,
    number,
    origins,
    text,
    words,
)
from dboshub.workflows.storage.access import READ_ONLY_OPTION, Access
from dboshub.workflows.storage.connection_errors import check_postgres_url, mask_password

__all__ = [
    "EnvironmentValueError",
    "choice",
    "database_url",
    "django_database",
    "flag",
    "hosts",
    "identifier",
    "kept_secret_key",
    "mask_password",
    "number",
    "origins",
    "secret_key",
    "text",
    "words",
]

POSTGRES_SCHEMES = {
    "postgres",
    "postgresql",
    "postgresql+psycopg",
    "postgresql+psycopg2",
}


def secret_key(name: str) -> str:
    """Read a key that must not be guessed; empty if none is given."""
    given = text(name)
    if given and (len(given) < 32 or given.lower().startswith(("change", "django-insecure"))):
        raise EnvironmentValueError(name, "must be at least 32 random characters")
    return given


def kept_secret_key(path: Path) -> str:
    """Take the key from a file; the first call makes it, with mode 0600."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written aside and linked: of several processes starting together, one wins and all
        # read it.
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(48))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def database_url(name: str, default: str = "") -> str:
    """Read and normalise a database URL: known scheme, absolute SQLite path."""
    url = text(name, default)
    if not url:
        return ""
    _check(name, url)
    parts = _split(name, url)
    if parts.scheme == "sqlite":
        return f"sqlite:///{_sqlite_path(name, parts, url)}"
    if parts.scheme not in POSTGRES_SCHEMES:
        raise EnvironmentValueError(
            name,
            f"{mask_password(url)!r} is not a database URL this project knows; "
            "write sqlite:////absolute/path.sqlite3 or postgresql://user@host:5432/name",
        )
    if not parts.path.strip("/"):
        raise EnvironmentValueError(
            name, f"{mask_password(url)!r} names no database; add /name at its end"
        )
    return urlunsplit(parts._replace(scheme="postgresql"))


def django_database(
    url: str,
    *,
    pool_size: int,
    sqlite_sync: str = "FULL",
    access: Access = Access.OWN,
    behind_pooler: bool = False,
) -> dict[str, Any]:
    """Turn a normalised URL into an entry of Django's DATABASES."""
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        return _django_sqlite(parts, sqlite_sync, access)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    host = options.pop("host", None) or parts.hostname or ""
    port = options.pop("port", None) or (str(parts.port) if parts.port else "")
    if pool_size:
        options["pool"] = {"min_size": 1, "max_size": pool_size, "timeout": 1}
    if access is Access.READ_ONLY and not behind_pooler:
        # A pooler in transaction mode would leave the setting to whoever comes next.
        options["options"] = f"{options.get('options', '')} {READ_ONLY_OPTION}".strip()
    return {
        "ENGINE": "dboshub.workflows.django_postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or options.pop("user", "")),
        "PASSWORD": unquote(parts.password or options.pop("password", "")),
        "HOST": unquote(host),
        "PORT": port,
        "CONN_MAX_AGE": 0,
        "OPTIONS": options,
    }


def _django_sqlite(parts: SplitResult, sync: str, access: Access) -> dict[str, Any]:
    # Of the connection: what is kept in the file, `migrate` alone sets.
    pragmas = [f"synchronous={sync}", "foreign_keys=ON", "temp_store=MEMORY"]
    return {
        "ENGINE": "dboshub.workflows.django_sqlite",
        "NAME": unquote(parts.path[1:]),
        "OPTIONS": {
            "access": access,
            # IMMEDIATE: a deferred transaction that turns to writing fails at once, whatever the
            # timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": " ".join(f"PRAGMA {pragma};" for pragma in pragmas),
        },
    }


def _check(name: str, url: str) -> None:
    if url.startswith("sqlite"):
        return
    try:
        check_postgres_url(url)
    except DatabaseUrlError as error:
        raise EnvironmentValueError(name, f"{error.args[0]!r}: {error.args[1]}") from None


def _split(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise EnvironmentValueError(
            name, f"{mask_password(url)!r} is not a database URL"
        ) from error
    return parts


def _sqlite_path(name: str, parts: SplitResult, url: str) -> str:
    if parts.netloc:
        raise EnvironmentValueError(
            name,
            f"{url!r} names a host; write sqlite:///relative.sqlite3 or sqlite:////absolute.sqlite3",
        )
    path = unquote(parts.path[1:])
    if not path or path == ":memory:":
        raise EnvironmentValueError(
            name, "SQLite needs a file: one in memory cannot be shared between processes"
        )
    return str(Path(path).absolute())
