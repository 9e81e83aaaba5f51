"""Topics that a page can subscribe to, and the signed tokens that authorise a subscription.

A view puts a token into its page; the socket accepts nothing else. No database, no rendering.
"""

from __future__ import annotations

import hashlib
import json
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.core import signing
from django.http import HttpRequest

from dboshub.workflows.permissions import VIEW_PAYLOAD
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer, viewer_for

MAX_AGE_S = 12 * 3600
# A row that was created while the page was rendered may be missing from the page.
CLOCK_SLACK_MS = 5_000

# Kinds whose frames differ by the permission to see payloads. Others never carry payloads.
PAYLOAD_KINDS = frozenset({"workflow", "steps", "events", "messages", "stream", "wrong"})

_SALT = "dboshub.live"


class TopicRefusedError(Exception):
    """The token is forged, expired, malformed, or was made for another user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """Something that pages show, the same for all viewers of one scope and payload permission.

    `key` is an id, `filter` a query string or a stream key, `scope` the applications of the viewer
    (None for all).
    """

    kind: str
    key: str = ""
    filter: str = ""
    scope: tuple[str, ...] | None = None
    payload: bool = False

    @property
    def id(self) -> str:
        """A short id for frames and for ``data-topic``."""
        parts = json.dumps([self.kind, self.key, self.filter, self.scope, self.payload])
        return urlsafe_b64encode(hashlib.blake2b(parts.encode(), digest_size=12).digest()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A topic with its token for one page; ``since`` is when the page was read (epoch ms)."""

    topic: Topic
    token: str
    since: int

    @property
    def id(self) -> str:
        return self.topic.id


def subscription_for(
    request: HttpRequest, kind: str, key: str = "", *, filter: str = "", since: int | None = None
) -> Subscription:
    """A subscription for the user of this request.

    ``filter`` is the query string of a list (kinds "list" and "row") or the key of a stream (kind
    "stream"); ``since`` is when the page was read (epoch ms), by default now.
    """
    since = (int(time.time() * 1000) if since is None else since) - CLOCK_SLACK_MS
    topic = Topic(
        kind=kind,
        # A list counts from when its page was read, so its topic belongs to one page.
        key=key or (str(since) if kind == "list" else ""),
        filter=filter if kind == "stream" else canonical(filter),
        scope=scope_of(request.user),
        payload=kind in PAYLOAD_KINDS and request.user.has_perm(VIEW_PAYLOAD),
    )
    token = sign_token(topic, user=str(request.user.pk), since=since)
    return Subscription(topic=topic, token=token, since=since)


def scope_of(user: Any) -> tuple[str, ...] | None:
    """The applications a user sees, None for all; "" stands for rows without an application."""
    viewer = viewer_for(user)
    if viewer.applications is None:
        return None
    return (*([""] if viewer.unclaimed else []), *sorted(viewer.applications))


def viewer_of_topic(topic: Topic) -> Viewer:
    """The viewer whose scope applies to a topic."""
    if topic.scope is None:
        return EVERYTHING
    named = frozenset(topic.scope)
    return Viewer(applications=named - {""}, unclaimed="" in named)


def canonical(query: str) -> str:
    """A query string with sorted pairs, so that equal filters share a topic."""
    return urlencode(sorted(parse_qsl(query)))


def sign_token(topic: Topic, *, user: str, since: int) -> str:
    """A token that permits one user to subscribe to a topic."""
    scope = None if topic.scope is None else list(topic.scope)
    body = [topic.kind, topic.key, topic.filter, scope, int(topic.payload), user, since]
    return signing.TimestampSigner(salt=_SALT).sign_object(body)


def read_token(token: str, *, user: str, max_age_s: float = MAX_AGE_S) -> Subscription:
    """The subscription of a token. Raises TopicRefusedError."""
    try:
        body = signing.TimestampSigner(salt=_SALT).unsign_object(token, max_age=max_age_s)
        kind, key, filters, scope, payload, owner, since = body
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise TopicRefusedError(str(error)) from error
    if owner != user:
        raise TopicRefusedError("made for another user")
    topic = Topic(
        kind=kind,
        key=key,
        filter=filters,
        scope=None if scope is None else tuple(scope),
        payload=bool(payload),
    )
    return Subscription(topic=topic, token=token, since=since)
