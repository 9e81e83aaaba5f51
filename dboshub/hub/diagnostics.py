"""What this process knows of itself: versions, settings without secrets, live push, leases."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.conf import settings

from dboshub.env import mask_password
from dboshub.live import singletons
from dboshub.live.metrics import LiveMetrics
from dboshub.live.websocket import LiveSocket
from dboshub.workflows.models import Lease, RolledSpan
from dboshub.workflows.models.rollups import MINUTE

PACKAGES = ("dboshub", "django", "psycopg", "channels", "daphne", "django-htmx", "whitenoise")
# Environment variable to setting.
SETTINGS = {
    "DBOS_SYSTEM_DATABASE_URL": "DBOS_SYSTEM_DATABASE_URL",
    "DBOS_SYSTEM_SCHEMA": "DBOS_SYSTEM_SCHEMA",
    "DBOSHUB_DATABASE_URL": "DBOSHUB_DATABASE_URL",
    "DBOSHUB_LISTEN_DSN": "DBOSHUB_LISTEN_DSN",
    "DBOSHUB_DATA_DIR": "DATA_DIR",
    "DBOSHUB_SECRET_KEY": "SECRET_KEY",
    "DBOSHUB_ALLOWED_HOSTS": "ALLOWED_HOSTS",
    "DBOSHUB_TRUSTED_ORIGINS": "CSRF_TRUSTED_ORIGINS",
    "DBOSHUB_HTTPS": "BEHIND_HTTPS",
    "DBOSHUB_BEHIND_PROXY": "DBOSHUB_BEHIND_PROXY",
    "DBOSHUB_LOGIN_ATTEMPTS": "LOGIN_ATTEMPTS_PER_NAME",
    "DBOSHUB_ROLLUPS": "DBOSHUB_ROLLUPS",
    "DBOSHUB_REDACT": "DBOSHUB_REDACT",
    "DBOSHUB_DEBUG": "DEBUG",
}
SECRET = {"DBOSHUB_SECRET_KEY"}
STARTED_MS = int(time.time() * 1_000)


@dataclass(frozen=True, slots=True)
class Live:
    """Live push of this process; times are milliseconds."""

    sockets: int
    topics: int
    is_watching: bool
    meter: LiveMetrics

    @property
    def typical_ms(self) -> float | None:
        return _ms(self.meter.typical_s())

    @property
    def longest_ms(self) -> float | None:
        return _ms(self.meter.longest_s())

    @property
    def lag_ms(self) -> float | None:
        return _ms(self.meter.lag_s())


@dataclass(frozen=True, slots=True)
class Leader:
    """Who does what only one process may do; `counted_until` is how far the rollups have come."""

    name: str
    owner: str
    until: int
    is_held: bool
    counted_until: int | None


def live() -> Live:
    hub = singletons.hub()
    sockets = sum(LiveSocket.open_by_user.values())
    return Live(sockets, hub.followed(), hub.watched, hub.meter)


def versions() -> list[tuple[str, str]]:
    """What runs here, by name."""
    found = [(name, _version(name)) for name in PACKAGES]
    own = [("Python", platform.python_version()), ("SQLite library", sqlite3.sqlite_version)]
    return [*found, *own]


def place() -> str:
    return f"{platform.node()}, process {os.getpid()}"


def chosen() -> list[tuple[str, str]]:
    """The settings that matter, by the variable that sets them; without secrets."""
    return [(name, _shown(name, getattr(settings, at, ""))) for name, at in SETTINGS.items()]


def leaders(now: int) -> list[Leader]:
    """The leases there are, whoever holds them."""
    minutes = RolledSpan.objects.filter(width=MINUTE).order_by("-at")
    last = minutes.values_list("at", flat=True).first()
    return [
        Leader(
            name=each.name,
            owner=each.owner,
            until=each.until,
            is_held=each.until > now,
            counted_until=last + MINUTE if each.name == "rollups" and last is not None else None,
        )
        for each in Lease.objects.order_by("name")[:20]
    ]


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
