"""Typed reading of the environment; nonsense stops the start with a sentence naming the variable.

Only settings.py and management commands call this. No Django here.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from dboshub.workflows.engine.errors import DatabaseUrlError
from dboshub.workflows.environment import (
    EnvironmentValueError,
    choice,
    flag,
    hosts,
    number,
    origins,
    schema,
    text,
    words,
)
from dboshub.workflows.storage.access import READ_ONLY_OPTION, Access
from dboshub.workflows.storage.answers import AnsweredConnection
from dboshub.workflows.storage.database_urls import (
    is_sqlite,
    libpq_parameters,
    normalized,
    sqlite_path,
)
from dboshub.workflows.storage.reconnecting import STEADY

__all__ = [
    "EnvironmentValueError",
    "choice",
    "database_url",
    "django_database",
    "flag",
    "hosts",
    "kept_secret_key",
    "number",
    "origins",
    "schema",
    "secret_key",
    "text",
    "words",
]

# Distinct characters that a random key of 32 has all but surely, and words of keys that are none.
MIN_DISTINCT = 8
PLACEHOLDERS = ("changeme", "change-me", "change_me", "insecure", "placeholder", "your-", "your_")


def secret_key(name: str) -> str:
    """Read a key that must not be guessed; empty if none is given."""
    given = text(name)
    if given and is_weak_key(given):
        raise EnvironmentValueError(name, "must be at least 32 random characters")
    return given


def is_weak_key(key: str) -> bool:
    """Whether a key is short, repeats itself, or is a placeholder of some documentation."""
    repeats = key in (key + key)[1:-1] or len({*key}) < MIN_DISTINCT
    return len(key) < 32 or repeats or any(word in key.lower() for word in PLACEHOLDERS)


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
    key = path.read_text().strip()
    if is_weak_key(key):
        raise EnvironmentValueError(
            str(path), "must hold at least 32 random characters; delete it, and one is made"
        )
    return key


def database_url(name: str, default: str = "") -> str:
    """Read and normalize a database URL: known scheme, absolute SQLite path."""
    url = text(name, default)
    if not url:
        return ""
    try:
        return normalized(url)
    except DatabaseUrlError as error:
        raise EnvironmentValueError(
            name, f"{error.args[0]!r} cannot be used: {error.args[1]}"
        ) from None


def django_database(
    url: str,
    *,
    pool_size: int,
    worker_pool_size: int = 0,
    sqlite_sync: str = "FULL",
    access: Access = Access.OWN,
    behind_pooler: bool = False,
) -> dict[str, Any]:
    """Turn a URL into an entry of Django's DATABASES. Raises DatabaseUrlError.

    A pool has `pool_size` connections, and `worker_pool_size` in a process that runs workflows.
    """
    if is_sqlite(url):
        return _django_sqlite(sqlite_path(url), sqlite_sync, access)
    options: dict[str, Any] = libpq_parameters(url)
    entry = {
        key: options.pop(keyword, "")
        for key, keyword in (
            ("NAME", "dbname"),
            ("USER", "user"),
            ("PASSWORD", "password"),
            ("HOST", "host"),
            ("PORT", "port"),
        )
    }
    if pool_size:
        options["pool"] = {
            "min_size": 1,
            "max_size": pool_size,
            "timeout": 1,
            "connection_class": AnsweredConnection,
            **STEADY,
        }
        options["worker_pool"] = worker_pool_size
    if access is Access.READ_ONLY and not behind_pooler:
        # A pooler in transaction mode would leave the setting to whoever comes next.
        options["options"] = f"{options.get('options', '')} {READ_ONLY_OPTION}".strip()
    return {
        "ENGINE": "dboshub.workflows.django_postgresql",
        **entry,
        "CONN_MAX_AGE": 0,
        # A pool checks what it hands out: the server may have been restarted since.
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def _django_sqlite(path: Path, sync: str, access: Access) -> dict[str, Any]:
    # Of the connection: what is kept in the file, `migrate` alone sets.
    pragmas = [f"synchronous={sync}", "foreign_keys=ON", "temp_store=MEMORY"]
    return {
        "ENGINE": "dboshub.workflows.django_sqlite",
        "NAME": str(path),
        "OPTIONS": {
            "access": access,
            # IMMEDIATE: a deferred transaction that turns to writing fails at once, whatever the
            # timeout.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": " ".join(f"PRAGMA {pragma};" for pragma in pragmas),
        },
    }
