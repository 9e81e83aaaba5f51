"""Diagnostics of this process: versions, settings without secrets, live updates, leases."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from dboshub.env import EnvironmentValueError
from dboshub.live import singletons
from dboshub.live.metrics import LiveMetrics
from dboshub.live.websocket import LiveSocket
from dboshub.workflows import django_settings
from dboshub.workflows.models import Lease, RolledSpan
from dboshub.workflows.models.rollups import MINUTE
from dboshub.workflows.storage.database_urls import mask_password

PACKAGES = ("dboshub", "django", "psycopg", "channels", "daphne", "django-htmx", "whitenoise")
# What is in force, by the name of the setting or variable that changes it.
SETTINGS: dict[str, Callable[[], Any]] = {
    "DBOS_APP_NAME": django_settings.application_name,
    "DBOS_SYSTEM_DATABASE_ALIAS": django_settings.system_alias,
    "DBOS_SYSTEM_DATABASE_URL": django_settings.system_database_url,
    "DBOS_SYSTEM_SCHEMA": django_settings.system_schema,
    "DBOSHUB_DATABASE_URL": django_settings.hub_database_url,
    "DBOSHUB_LISTEN_DSN": django_settings.listen_url,
    "DBOSHUB_BEHIND_POOLER": django_settings.is_behind_pooler,
    "DBOSHUB_DATA_DIR": django_settings.data_dir,
    "DBOSHUB_SECRET_KEY": lambda: settings.SECRET_KEY,
    "DBOSHUB_ALLOWED_HOSTS": lambda: settings.ALLOWED_HOSTS,
    "DBOSHUB_TRUSTED_ORIGINS": lambda: settings.CSRF_TRUSTED_ORIGINS,
    "DBOSHUB_HTTPS": django_settings.is_https,
    "DBOSHUB_BEHIND_PROXY": django_settings.is_behind_proxy,
    "DBOSHUB_LOGIN_ATTEMPTS": django_settings.login_attempts,
    "DBOSHUB_ROLLUPS": django_settings.counts_rollups,
    "DBOSHUB_BULK": django_settings.works_on_bulk_jobs,
    "DBOSHUB_REDACT": django_settings.redacted_names,
    "DBOSHUB_DEBUG": lambda: settings.DEBUG,
}
SECRET = {"DBOSHUB_SECRET_KEY"}
STARTED_MS = int(time.time() * 1_000)


@dataclass(frozen=True, slots=True)
class Live:
    """Live updates of this process. Times are milliseconds."""

    sockets: int
    topics: int
    is_watching: bool
    metrics: LiveMetrics

    @property
    def typical_ms(self) -> float | None:
        return _ms(self.metrics.typical_s())

    @property
    def longest_ms(self) -> float | None:
        return _ms(self.metrics.longest_s())

    @property
    def lag_ms(self) -> float | None:
        return _ms(self.metrics.lag_s())


@dataclass(frozen=True, slots=True)
class LeaseState:
    """A lease and its holder. `counted_until` is the end of the newest counted minute."""

    name: str
    owner: str
    until: int
    is_held: bool
    counted_until: int | None


def live() -> Live:
    broadcaster = singletons.broadcaster()
    sockets = sum(LiveSocket.open_sockets.by_user.values())
    return Live(sockets, broadcaster.topic_count(), broadcaster.has_viewers, broadcaster.metrics)


def versions() -> list[tuple[str, str]]:
    """Versions by package name."""
    found = [(name, _version(name)) for name in PACKAGES]
    own = [("Python", platform.python_version()), ("SQLite library", sqlite3.sqlite_version)]
    return [*found, *own]


def host_and_process() -> str:
    return f"{platform.node()}, process {os.getpid()}"


def effective_settings() -> list[tuple[str, str]]:
    """The settings that matter, by the variable that sets them; without secrets."""
    return [(name, _shown(name, _in_force(read))) for name, read in SETTINGS.items()]


def leaders(now: int) -> list[LeaseState]:
    """All leases. `now` is epoch ms."""
    minutes = RolledSpan.objects.filter(width=MINUTE).order_by("-at")
    last = minutes.values_list("at", flat=True).first()
    return [
        LeaseState(
            name=each.name,
            owner=each.owner,
            until=each.until,
            is_held=each.until > now,
            counted_until=last + MINUTE if each.name == "rollups" and last is not None else None,
        )
        for each in Lease.objects.order_by("name")[:20]
    ]


def _in_force(read: Callable[[], Any]) -> Any:
    """The value, or what is wrong with it: this page is where people look then."""
    try:
        return read()
    except (ImproperlyConfigured, EnvironmentValueError) as error:
        return f"not usable: {error}"


def _shown(name: str, value: Any) -> str:
    if name in SECRET:
        return "set, not shown" if value else "not set"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, str) or not isinstance(value, Iterable):
        return mask_password(str(value))
    return ", ".join(str(each) for each in value)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from source"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1_000
