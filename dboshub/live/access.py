"""Authenticates a WebSocket handshake: origin, session, account, permissions.

Repeated while the socket is open, so that a logout ends it. Nothing here writes a session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

from dboshub.web.client_address import client_address
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.actions.payload_audit import record_payload_view
from dboshub.workflows.live.subscriptions import Topic, scope_of

DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The current id, permissions and scope of a user."""

    user: str
    permissions: frozenset[str]
    scope: tuple[str, ...] | None
    actor: Actor


def handshake(scope: Mapping[str, Any]) -> ASGIRequest:
    """The handshake as an HTTP request, so that hosts and proxies are treated as for pages."""
    return ASGIRequest({**scope, "method": "GET"}, BytesIO())


def is_same_origin(request: ASGIRequest) -> bool:
    """Whether a page of this scheme, host and port opened the socket, or of a trusted origin."""
    try:
        given = request.META.get("HTTP_ORIGIN", "")
        if given in settings.CSRF_TRUSTED_ORIGINS:
            return True
        origin = urlsplit(given)
        here = urlsplit(f"{_scheme(request)}://{request.get_host()}")
        return _origin(origin) == _origin(here)
    except (ValueError, KeyError, DisallowedHost):
        return False


async def account(request: ASGIRequest) -> Account | None:
    """The active user of the handshake's session, read now; None if there is none."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    found: Account | None = await database_sync_to_async(_account)(request)
    return found


def _account(request: ASGIRequest) -> Account | None:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    store = import_module(settings.SESSION_ENGINE).SessionStore(key)
    request.session = cast(SessionBase, _ReadOnlySession(store.load()))
    user = get_user(request)
    if not user.is_authenticated or not user.is_active:
        return None
    return Account(
        user=str(user.pk),
        permissions=frozenset(user.get_all_permissions()),
        scope=scope_of(user),
        actor=Actor(user, client_address(request)),
    )


async def audit_payload_views(account: Account, topics: Iterable[Topic]) -> None:
    """Write audit rows for the payloads that are pushed to a user."""
    keys = sorted({topic.key for topic in topics if topic.payload})
    if keys:
        await database_sync_to_async(_audit_payload_views)(account.actor, keys)


def _audit_payload_views(actor: Actor, workflow_ids: list[str]) -> None:
    for workflow_id in workflow_ids:
        record_payload_view(actor, "workflow", workflow_id)


class _ReadOnlySession(dict[str, Any]):
    """A session's content. A socket cannot set a cookie, so it must not renew or end a session."""

    def flush(self) -> None: ...
    def cycle_key(self) -> None: ...


def _scheme(request: ASGIRequest) -> str:
    return {"ws": "http", "wss": "https"}.get(str(request.scheme), str(request.scheme))


def _origin(url: Any) -> tuple[str, str, int]:
    return url.scheme, url.hostname, url.port or DEFAULT_PORTS[url.scheme]
