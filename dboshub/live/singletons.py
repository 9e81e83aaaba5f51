"""The broadcaster, watcher and listener of this process, created at the first subscription."""

from __future__ import annotations

from functools import cache, partial

from django.db import connections

from dboshub.live.fanout import Broadcaster
from dboshub.live.listener import Listener
from dboshub.live.topic_sources import SOURCES
from dboshub.live.watcher import Watcher
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.django_listening import can_listen, listen_on
from dboshub.workflows.django_settings import is_behind_pooler, system_alias, system_schema
from dboshub.workflows.storage.access import Access
from dboshub.workflows.storage.database import Database, open_database


@cache
def broadcaster() -> Broadcaster:
    """The broadcaster of this process, with its watcher."""
    made, alias = Broadcaster(), system_alias()
    Watcher(
        made,
        open_system_database,
        SOURCES,
        listener=Listener(partial(listen_on, alias)) if can_listen(alias) else None,
    )
    return made


def open_system_database() -> Database:
    """The system database, for reads."""
    return open_database(
        system_url(),
        schema=system_schema(),
        pool_size=1,
        behind_pooler=is_behind_pooler(),
        access=_access(),
    )


def _access() -> Access:
    if _is_postgres():
        # The options of PostgreSQL's sessions are in the URL.
        return Access.SHARED
    options = connections[system_alias()].settings_dict["OPTIONS"]
    access = Access(options.get("access", Access.OWN))
    return Access.READING if access is Access.SHARED else access


def system_url() -> str:
    """The URL of the database that Django uses now; a test run uses another name."""
    return url_of_alias(system_alias())


def _is_postgres() -> bool:
    return connections[system_alias()].vendor == "postgresql"
