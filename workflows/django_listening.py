"""Where a process of a Django project listens for notices, beside Django's own connections."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connections

from dboshub.workflows import django_settings
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.engine.waiting.notices import EVENTS, MESSAGES, STATUS, STREAMS
from dboshub.workflows.storage.database_urls import libpq_url
from dboshub.workflows.storage.waiting.notify import listen

# The three channels of every DBOS library, and DBOSHub's channel of status changes.
CHANNELS = (MESSAGES, EVENTS, STREAMS, STATUS)


def can_listen(alias: str) -> bool:
    """Whether notices can reach this process: not on SQLite, nor through a pooler alone."""
    if connections[alias].vendor != "postgresql":
        return False
    if django_settings.dbos_config().get("use_listen_notify") is False:
        return False
    return bool(django_settings.listen_url()) or not django_settings.is_behind_pooler()


def listen_on(
    alias: str,
    *,
    on_connected: Callable[[], None],
    on_notice: Callable[[str, str], None],
    is_over: Callable[[], bool],
) -> None:
    """Listen on a connection of its own until `is_over`; see ``notify.listen``."""
    given = django_settings.listen_url()
    listen(
        libpq_url(given) if given else url_of_alias(alias),
        CHANNELS,
        on_connected=on_connected,
        on_notice=on_notice,
        is_over=is_over,
    )
