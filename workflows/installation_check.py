"""The system check that all four apps are installed. Each of them registers it: any may be missing.

It can run because our models name their app: without it they could not even be imported.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error

OURS = ("dboshub", "dboshub.workflows", "dboshub.queues", "dboshub.schedules")
DJANGOS = ("django.contrib.auth", "django.contrib.contenttypes")


def check_apps(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """Name the apps that are missing, of ours and of Django's."""
    missing = [name for name in OURS if not apps.is_installed(name)]
    found: list[CheckMessage] = []
    if missing:
        found.append(
            Error(
                f"INSTALLED_APPS lacks {', '.join(missing)}, which the other apps of DBOSHub need.",
                hint="Install all four: INSTALLED_APPS += dboshub.apps()",
                id="dboshub.E001",
            )
        )
    missing = [name for name in DJANGOS if not apps.is_installed(name)]
    if missing:
        found.append(
            Error(
                f"INSTALLED_APPS lacks {', '.join(missing)}, which DBOSHub's permissions need.",
                hint="Add them to INSTALLED_APPS.",
                id="dboshub.E002",
            )
        )
    return found
