"""Checks of a project that includes our pages: middleware, addresses, and who may reach them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.urls import Resolver404, URLResolver, get_resolver, resolve
from django.utils.module_loading import import_string

from dboshub.web.accounts import login_address
from dboshub.workflows import django_settings

MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
)
NAMESPACE = "dboshub"
LOCAL_HOSTS = {"localhost", ".localhost", "127.0.0.1", "[::1]", "testserver"}


def check_pages(app_configs: Any, **_kwargs: Any) -> list[CheckMessage]:
    """What the pages lack; nothing if the project does not include them."""
    if not django_settings.root_urlconf():
        return []
    namespaces = [*_namespaces_of_includes(get_resolver().url_patterns)]
    if not namespaces:
        return []
    return [
        *_middleware(),
        *_nested(namespaces),
        *_twice(len(namespaces)),
        *_login(),
        *_debug(),
    ]


def _namespaces_of_includes(patterns: Iterable[Any], outer: str = "") -> Iterator[str]:
    """For each include of our pages, the namespace that it is nested in, or ``""``."""
    for each in patterns:
        if isinstance(each, URLResolver):
            if each.app_name == NAMESPACE:
                yield outer
            else:
                inner = ":".join(filter(None, (outer, each.namespace)))
                yield from _namespaces_of_includes(each.url_patterns, inner)


def _middleware() -> Iterator[CheckMessage]:
    classes = [import_string(path) for path in settings.MIDDLEWARE]
    for path in MIDDLEWARE:
        wanted = import_string(path)
        if not any(isinstance(each, type) and issubclass(each, wanted) for each in classes):
            yield Error(
                f"MIDDLEWARE lacks {path}, which the pages of DBOSHub need.",
                hint="Add it; 'django-admin startproject' shows in which order.",
                id="dboshub.E002",
            )


def _nested(namespaces: Iterable[str]) -> Iterator[CheckMessage]:
    for namespace in namespaces:
        if namespace:
            yield Error(
                f"dboshub.urls is included within the namespace {namespace!r}: the links of its "
                f"pages name views of {NAMESPACE!r}, and every page fails.",
                hint="Include it in ROOT_URLCONF, or in addresses that have no app_name and "
                "no namespace.",
                id="dboshub.E014",
            )


def _twice(times: int) -> Iterator[CheckMessage]:
    if times > 1:
        yield Warning(
            f"dboshub.urls is included {times} times: links of all these pages lead to one of "
            "them, and only one has live pages.",
            hint="Include it once.",
            id="dboshub.W008",
        )


def _login() -> Iterator[CheckMessage]:
    address = login_address()
    parts = urlsplit(address)
    if parts.netloc:
        return
    try:
        resolve(parts.path)
    except Resolver404:
        yield Warning(
            f"LOGIN_URL leads to {address}, where this project has no page: whoever has to log in "
            "to see the pages of DBOSHub ends there.",
            hint="Name your login page in LOGIN_URL, or include django.contrib.auth.urls.",
            id="dboshub.W009",
        )


def _debug() -> Iterator[CheckMessage]:
    public = [host for host in settings.ALLOWED_HOSTS if host not in LOCAL_HOSTS]
    if settings.DEBUG and public:
        yield Warning(
            f"DEBUG is on and ALLOWED_HOSTS has {', '.join(public)}: an error page would show "
            "settings and payloads of workflows to everybody who can reach it.",
            hint="Turn DEBUG off where others than you have access.",
            id="dboshub.W006",
        )
