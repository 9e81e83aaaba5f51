"""The URL by which the engine reaches a database that Django knows by its alias."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

import psycopg
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.connection import ConnectionDoesNotExist

from dboshub.workflows.storage.database_urls import sqlite_url

KEYWORDS = frozenset(each.keyword.decode() for each in psycopg.pq.Conninfo.get_defaults())
# Django asks for this encoding, and psycopg by itself as well.
OMITTED = frozenset({"client_encoding"})
# In a URL's authority these need no escaping and name one host.
PLAIN_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")


def url_of_alias(alias: str) -> str:
    """The URL of a database as Django connects to it now, in a test run too.

    Raises ImproperlyConfigured for an unknown alias, another kind of database, and SQLite in
    memory, which other processes cannot reach.
    """
    try:
        connection = connections[alias]
    except ConnectionDoesNotExist:
        raise ImproperlyConfigured(
            f"DBOS_SYSTEM_DATABASE_ALIAS is {alias!r}, but DATABASES has no such entry"
        ) from None
    if connection.vendor == "sqlite":
        return _sqlite_url(connection)
    if connection.vendor == "postgresql":
        return _postgres_url(connection)
    raise ImproperlyConfigured(
        f"DATABASES[{alias!r}] is {connection.display_name}: workflows need PostgreSQL or SQLite. "
        "Add such a database, and name its alias in DBOS_SYSTEM_DATABASE_ALIAS"
    )


def is_in_memory(connection: BaseDatabaseWrapper) -> bool:
    """Whether it is a SQLite database that has no file."""
    name = str(connection.settings_dict["NAME"])
    return name == ":memory:" or "mode=memory" in name or name.startswith("file::memory:")


def _sqlite_url(connection: BaseDatabaseWrapper) -> str:
    name = str(connection.settings_dict["NAME"])
    if is_in_memory(connection):
        raise ImproperlyConfigured(
            f"DATABASES[{connection.alias!r}] is in memory: workflows need a database that other "
            "processes reach, so name a file"
        )
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return sqlite_url(Path(name))


def _postgres_url(connection: BaseDatabaseWrapper) -> str:
    parameters = libpq_parameters(connection)
    database = parameters.pop("dbname", "")
    host, port = parameters.get("host", ""), parameters.get("port", "")
    authority = ""
    if host and set(host) <= PLAIN_HOST and (port.isdigit() or not port):
        authority = host + (f":{port}" if port else "")
        del parameters["host"]
        parameters.pop("port", None)
        user, password = parameters.pop("user", ""), parameters.pop("password", "")
        if user:
            secret = f":{quote(password, safe='')}" if password else ""
            authority = f"{quote(user, safe='')}{secret}@{authority}"
        elif password:
            parameters["password"] = password
    query = urlencode(sorted(parameters.items()), quote_via=quote, safe="")
    return f"postgresql://{authority}/{quote(database, safe='')}" + (f"?{query}" if query else "")


def libpq_parameters(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """What Django gives to libpq, its role (``assume_role``) as an option of the session."""
    given: dict[str, Any] = connection.get_connection_params()
    found = {
        key: str(value)
        for key, value in given.items()
        if key in KEYWORDS - OMITTED and value not in (None, "")
    }
    role = connection.settings_dict["OPTIONS"].get("assume_role")
    if role:
        escaped = str(role).replace("\\", "\\\\").replace(" ", "\\ ")
        found["options"] = f"{found.get('options', '')} -c role={escaped}".strip()
    return found
