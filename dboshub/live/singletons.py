"""This process's one hub, one watcher and one listener, made when the first page listens."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings
from django.db import connections

from dboshub.live.fanout import Hub
from dboshub.live.listener import Listener
from dboshub.live.topic_sources import SOURCES
from dboshub.live.watcher import Watcher
from dboshub.workflows.connection import is_read_only, system_alias
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.database import Database, open_database


@cache
def hub() -> Hub:
    """The hub of this process, with its watcher attached."""
    made = Hub()
    Watcher(
        made,
        open_system_database,
        SOURCES,
        listener=Listener(listen_url()) if _is_postgres() else None,
    )
    return made


def open_system_database() -> Database:
    """The system database, to read from."""
    return open_database(
        system_url(),
        schema=settings.DBOS_SYSTEM_SCHEMA,
        pool_size=1,
        behind_pooler=getattr(settings, "DBOSHUB_BEHIND_POOLER", False),
        access=Access.READ_ONLY if is_read_only() or not _is_postgres() else Access.SHARED,
    )


def system_url() -> str:
    """The URL of the database Django uses now; in a test run it has another name."""
    name = str(connections[system_alias()].settings_dict["NAME"])
    parts = urlsplit(settings.DBOS_SYSTEM_DATABASE_URL)
    if parts.scheme == "sqlite":
        return f"sqlite:///{quote(name)}"
    return urlunsplit(parts._replace(path=f"/{quote(name)}"))


def listen_url() -> str:
    """LISTEN needs a session of its own, so not a transaction-mode pooler."""
    return settings.DBOSHUB_LISTEN_DSN or system_url()


def _is_postgres() -> bool:
    return connections[system_alias()].vendor == "postgresql"
