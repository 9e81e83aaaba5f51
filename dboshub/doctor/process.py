"""Checks of this installation and its settings: versions, files, secret key, hosts, debug."""

from __future__ import annotations

import os
import platform
import sqlite3
import stat
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from dboshub.doctor.findings import Finding, note, ok, wrong
from dboshub.workflows import environment
from dboshub.workflows.django_settings import (
    data_dir,
    is_https,
    is_read_only,
    secret_key_file,
    settings_module,
)
from dboshub.workflows.invocation import command

PACKAGES = ("dboshub", "django", "psycopg", "daphne", "whitenoise")
LOCAL = {"localhost", "127.0.0.1", "[::1]", ".localhost"}
# A file of ours that every page needs.
STYLE_SHEET = "dboshub/css/tokens.css"


def versions() -> Iterator[Finding]:
    found = [f"{name} {_version(name)}" for name in PACKAGES]
    own = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}"]
    yield ok("versions", ", ".join([*found, *own]))
    yield ok("settings", settings_module() or "set by the program")


def data_directory() -> Iterator[Finding]:
    path = data_dir()
    there = next(each for each in (path, *path.parents) if each.exists())
    remedy = "Give it to the user that runs DBOSHub, or name another in DBOSHUB_DATA_DIR."
    if not there.is_dir():
        yield wrong("data directory", f"{path}: {there} is no directory", remedy)
    elif not os.access(there, os.W_OK | os.X_OK):
        yield wrong("data directory", f"{path}: {there} may not be written to", remedy)
    else:
        yield ok("data directory", f"{path}{'' if path.exists() else ', made when it is needed'}")


def secret_key() -> Iterator[Finding]:
    """Where the key comes from; it is neither read nor made."""
    file = secret_key_file()
    if file is None:
        yield ok("secret key", "set in the settings of the project")
    elif environment.text("DBOSHUB_SECRET_KEY"):
        yield ok("secret key", "from DBOSHUB_SECRET_KEY")
    elif not file.exists():
        yield note(
            "secret key",
            f"made in {file} when it is needed",
            "With several web processes on several machines, give all the same DBOSHUB_SECRET_KEY.",
        )
    elif stat.S_IMODE(file.stat().st_mode) & 0o077:
        yield wrong("secret key", f"{file} can be read by others", f"Run `chmod 600 {file}`.")
    else:
        yield ok("secret key", f"from {file}")


def hosts() -> Iterator[Finding]:
    allowed = [str(each) for each in settings.ALLOWED_HOSTS]
    public = [each for each in allowed if each not in LOCAL]
    shown = ", ".join(allowed) or "none"
    if "*" in allowed:
        yield wrong(
            "allowed hosts",
            "every name is answered to, so a link in a mail may be forged",
            "Name those of this dashboard in DBOSHUB_ALLOWED_HOSTS (ALLOWED_HOSTS).",
        )
    elif not public:
        yield note(
            "allowed hosts",
            f"{shown}: this machine alone",
            "For others, add the name that they use to DBOSHUB_ALLOWED_HOSTS (ALLOWED_HOSTS).",
        )
    else:
        yield ok("allowed hosts", shown)
    if public and not is_https():
        yield note(
            "HTTPS",
            "passwords and cookies travel unencrypted",
            "Serve it behind a proxy with TLS, and set DBOSHUB_HTTPS=1.",
        )
    yield from _debug(is_public=bool(public))


def static_files() -> Iterator[Finding]:
    try:
        found = staticfiles_storage.url(STYLE_SHEET)
    except (ValueError, OSError) as error:
        yield wrong(
            "static files",
            f"not collected ({str(error).splitlines()[0]})",
            "Run `manage.py collectstatic --no-input`; `dboshub dashboard` does it itself.",
        )
    else:
        if _is_collected():
            yield ok("static files", f"{found} and others")
        else:
            yield note(
                "static files",
                f"{found} is not in STATIC_ROOT: only `manage.py runserver` serves it",
                "For any other server run `manage.py collectstatic`, and serve STATIC_ROOT.",
            )


def _is_collected() -> bool:
    """Whether our files are where servers look for them; a manifest names no others."""
    if isinstance(staticfiles_storage, ManifestStaticFilesStorage):
        return True
    try:
        return staticfiles_storage.exists(STYLE_SHEET)
    except ImproperlyConfigured:  # there is no STATIC_ROOT
        return False


def mode() -> Iterator[Finding]:
    if is_read_only():
        yield note("mode", "read-only: every action is refused (DBOSHUB_READ_ONLY)")


def system_checks() -> Iterator[Finding]:
    """What `check` says; databases are checked by other checks here."""
    for message in checks.run_checks():
        if message.is_silenced():
            continue
        says, remedy = " ".join(str(message.msg).split()), " ".join(str(message.hint or "").split())
        name = f"check {message.id}"
        if message.level >= checks.ERROR:
            yield wrong(name, says, remedy or f"Run `{command('check')}` for more.")
        elif message.level >= checks.WARNING:
            yield note(name, says, remedy)


def _debug(*, is_public: bool) -> Iterator[Finding]:
    if not settings.DEBUG:
        yield ok("debug", "off")
    elif is_public:
        yield wrong("debug", "on, and hosts of others are allowed", "Unset DBOSHUB_DEBUG (DEBUG).")
    else:
        yield note("debug", "on: errors show code and settings", "Unset DBOSHUB_DEBUG (DEBUG).")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "from a checkout"
