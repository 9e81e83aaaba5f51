"""The settings that DBOSHub reads from a Django project. Each has a default; only this reads them.

A setting of the project counts first. What concerns one process (marked in docs/settings.md) may
also come from an environment variable of the same name. The databases are those of DATABASES.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

from dboshub.workflows import environment
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.engine.schema_names import schema_problem
from dboshub.workflows.engine.validation import APPLICATION_NAME

# Names under which pages show no value.
REDACTED = (
    "password",
    "passwd",
    "*secret*",
    "*token",
    "api_key",
    "apikey",
    "authorization",
    "cookie",
    "*private_key",
    "card_number",
    "cvc",
    "cvv",
)
APPLICATION_WITHOUT_A_NAME = "dboshub"


def system_alias() -> str:
    """The alias in DATABASES of the database that holds the system tables."""
    return _text("DBOS_SYSTEM_DATABASE_ALIAS") or "default"


def system_schema() -> str:
    """The schema of the system tables on PostgreSQL. Raises ImproperlyConfigured."""
    name = _text("DBOS_SYSTEM_SCHEMA") or "dbos"
    problem = schema_problem(name) or ("Django reads % as a placeholder" if "%" in name else None)
    if problem is not None:
        raise ImproperlyConfigured(f"DBOS_SYSTEM_SCHEMA is {name!r}: {problem}")
    return name


def given_system_database_url() -> str:
    """DBOS_SYSTEM_DATABASE_URL, or an empty text where DATABASES alone says where it is."""
    return _text("DBOS_SYSTEM_DATABASE_URL")


def system_database_url() -> str:
    """The URL by which the engine's own connections reach the system database.

    Raises ImproperlyConfigured where DATABASES leads to none that the engine can use.
    """
    return given_system_database_url() or url_of_alias(system_alias())


def hub_database_url() -> str:
    """DBOSHUB_DATABASE_URL, which the settings of the standalone dashboard make a database of."""
    return _text("DBOSHUB_DATABASE_URL")


def listen_url() -> str:
    """A direct connection for LISTEN where the other is a pooler's; empty for the same one."""
    return _text("DBOSHUB_LISTEN_DSN")


def is_behind_pooler() -> bool:
    """Whether a pooler in transaction mode is before the system database."""
    configured = dbos_config().get("behind_pooler")
    return bool(configured) or _flag("DBOSHUB_BEHIND_POOLER", False)


def settings_module() -> str:
    """The module of settings, empty if they were configured by a program."""
    return str(getattr(settings, "SETTINGS_MODULE", "") or "")


def root_urlconf() -> str:
    """The module of the project's addresses, empty for a project without pages."""
    return str(getattr(settings, "ROOT_URLCONF", "") or "")


def is_read_only() -> bool:
    """Whether pages only show, and every action is refused."""
    return _flag("DBOSHUB_READ_ONLY", False)


def dbos_config() -> Mapping[str, Any]:
    """DBOS_CONFIG: what ``DBOS(config=…)`` takes in a script."""
    given = getattr(settings, "DBOS_CONFIG", None) or {}
    if not isinstance(given, dict):
        raise ImproperlyConfigured('DBOS_CONFIG must be a dict, like {"name": "shop"}')
    return given


def application_name() -> str:
    """The application whose workflows this project runs, starts and lists.

    Raises ImproperlyConfigured for a name that no application can have.
    """
    configured = dbos_config().get("name")
    given = configured or _text("DBOS_APP_NAME", from_environment=True)
    if given and not (isinstance(given, str) and APPLICATION_NAME.match(given)):
        name = "DBOS_CONFIG['name']" if configured else "DBOS_APP_NAME"
        raise ImproperlyConfigured(
            f"{name} is {given!r:.100}: write 3 to 256 characters of a-z, 0-9, - and _"
        )
    return given or _project_name()


def imported_modules() -> list[str]:
    """Modules that workers import besides the `workflows` module of each app."""
    return _words("DBOSHUB_IMPORT", (), from_environment=True)


def task_backends() -> list[dict[str, Any]]:
    """The entries of TASKS, which Django knows since 6.0."""
    return [*getattr(settings, "TASKS", {}).values()]


def redacted_names() -> tuple[str, ...]:
    """Names, with ``*``, under which pages show no value; the word "none" shows all."""
    names = _words("DBOSHUB_REDACT", REDACTED, from_environment=True)
    return () if names == ["none"] else tuple(names)


def counts_rollups() -> bool:
    """Whether this process takes part in counting what charts show."""
    return _flag("DBOSHUB_ROLLUPS", True)


def works_on_bulk_jobs() -> bool:
    """Whether this process takes part in working on bulk jobs."""
    return _flag("DBOSHUB_BULK", True) and not is_read_only()


def data_dir() -> Path:
    """Where exports are written; nothing makes it before the first of them.

    By default a directory of the system's for temporary files, whose name nobody can guess and
    all processes of the project on this machine agree on.
    """
    given = getattr(settings, "DBOSHUB_DATA_DIR", None) or environment.text("DBOSHUB_DATA_DIR")
    if given:
        return Path(given)
    digest = salted_hmac("dboshub.data_dir", str(os.getuid())).hexdigest()
    return Path(tempfile.gettempdir()) / f"dboshub-{digest[:24]}"


def is_https() -> bool:
    """Whether pages are served over HTTPS, so that their cookies go over nothing else."""
    return _flag("DBOSHUB_HTTPS", settings.SESSION_COOKIE_SECURE)


def is_behind_proxy() -> bool:
    """Whether a proxy in front overwrites ``X-Forwarded-For``."""
    return _flag("DBOSHUB_BEHIND_PROXY", False)


def login_attempts() -> int:
    """Failed logins per name and address within the window, before more are refused."""
    return _number("DBOSHUB_LOGIN_ATTEMPTS", 5)


def login_attempts_per_address() -> int:
    """The same for all names from one address."""
    return _number("DBOSHUB_LOGIN_ATTEMPTS_PER_ADDRESS", 4 * login_attempts())


def login_window_s() -> int:
    """Seconds for which failed logins are remembered."""
    return _number("DBOSHUB_LOGIN_WINDOW_SECONDS", 15 * 60)


def secret_key_file() -> Path | None:
    """Where the standalone dashboard keeps the key that it makes; None in a project of its own."""
    given = getattr(settings, "SECRET_KEY_FILE", None)
    return None if given is None else Path(given)


def _project_name() -> str:
    """The top package of the settings module, made a valid name of an application."""
    name = re.sub(r"[^a-z0-9_-]+", "-", settings_module().partition(".")[0].lower()).strip("-")
    if name and not APPLICATION_NAME.match(name):
        name = f"{name}-app"
    return name or APPLICATION_WITHOUT_A_NAME


def _text(name: str, *, from_environment: bool = False) -> str:
    value = getattr(settings, name, None)
    if value is None or value == "":
        return environment.text(name) if from_environment else ""
    if not isinstance(value, str):
        raise ImproperlyConfigured(f"{name} is {value!r:.100}: write text")
    return value


def _words(name: str, default: tuple[str, ...], *, from_environment: bool) -> list[str]:
    value = getattr(settings, name, None)
    if value is None:
        return environment.words(name, [*default]) if from_environment else [*default]
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise ImproperlyConfigured(f"{name} is {value!r:.100}: write a list of texts")
    return [*value]


def _flag(name: str, default: bool) -> bool:
    value = getattr(settings, name, None)
    if value is None:
        return environment.flag(name, default)
    if not isinstance(value, bool):
        raise ImproperlyConfigured(f"{name} is {value!r:.100}: write True or False")
    return value


def _number(name: str, default: int) -> int:
    value = getattr(settings, name, None)
    if value is None:
        return environment.number(name, default, least=1)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ImproperlyConfigured(f"{name} is {value!r:.100}: write a whole number from 1 on")
    return value
