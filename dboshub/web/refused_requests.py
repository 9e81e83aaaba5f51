"""Requests that the settings refuse: which setting it is, and what to add to it."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest
from django.http.request import split_domain_port

from dboshub.workflows.django_settings import settings_module

STANDALONE = "dboshub.settings"
# A setting, and the environment variable that the standalone dashboard reads it from.
VARIABLES = {
    "ALLOWED_HOSTS": "DBOSHUB_ALLOWED_HOSTS",
    "CSRF_TRUSTED_ORIGINS": "DBOSHUB_TRUSTED_ORIGINS",
}


def setting_name(name: str) -> str:
    """What a person changes: the setting, or the variable that it comes from."""
    is_standalone = settings_module() == STANDALONE
    return VARIABLES[name] if is_standalone else name


def refused_host(request: HttpRequest, exception: BaseException) -> dict[str, str] | None:
    """The host to allow, and the setting; None if something else was refused.

    The host is empty if the header holds no name of a host.
    """
    if not isinstance(exception, DisallowedHost):
        return None
    host, _port = split_domain_port(request._get_raw_host())  # type: ignore[attr-defined]
    return {"host": host, "setting": setting_name("ALLOWED_HOSTS")}


def refused_origin(request: HttpRequest, reason: str) -> dict[str, str] | None:
    """The origin to trust, and the setting; None if the token is what was refused."""
    if not reason.startswith("Origin checking failed"):
        return None
    parts = urlsplit(request.headers.get("Origin", ""))
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""
    return {"origin": origin, "setting": setting_name("CSRF_TRUSTED_ORIGINS")}


class OneLine(logging.Filter):
    """Keeps the stack trace of a refused host out of the log: it shows Django's code alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info:
            record.exc_info = record.exc_text = None
            advice = f" {setting_name('ALLOWED_HOSTS')} lists the hosts that are answered."
            record.msg = f"{record.getMessage().partition(' You may need')[0]}{advice}"
            record.args = ()
        return True
