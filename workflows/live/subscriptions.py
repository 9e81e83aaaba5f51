"""What a page may listen to: topics, and the signed tokens a view hands to its page.

A token says who may hear what; the socket believes nothing else. No database, no rendering.
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
# A row made while the page was being rendered may be missing from it.
CLOCK_SLACK_MS = 5_000

# Kinds whose fragments differ for those who may see payloads; the others never carry any.
PAYLOAD_KINDS = frozenset({"workflow", "steps", "events", "messages", "stream"})

_SALT = "dboshub.live"


class TopicRefusedError(Exception):
    """A token that is forged, expired, malformed, or made for somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One thing pages show: the same for every viewer with the same scope and payload class."""

    kind: str
    key: str = ""
    filter: str = ""
    scope: tuple[str, ...] | None = None
    payload: bool = False

    @property
    def id(self) -> str:
        """A short name for frames and for ``data-topic``."""
        parts = json.dumps([self.kind, self.key, self.filter, self.scope, self.payload])
        return urlsafe_b64encode(hashlib.blake2b(parts.encode(), digest_size=12).digest()).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A topic as one page was given it: ``since`` is when that page looked (epoch ms)."""

    topic: Topic
    token: str
    since: int

    @property
    def id(self) -> str:
        return self.topic.id


def subscription_for(
    request: HttpRequest, kind: str, key: str = "", *, filter: str = "", since: int | None = None
) -> Subscription:
    """Let this request's user listen to a topic.

    ``filter`` is a list's query string (for kind "list", and "row" to learn what left the
    list), or a stream's key (kind "stream"); ``since`` is when the page looked (epoch ms).
    """
    since = (int(time.time() * 1000) if since is None else since) - CLOCK_SLACK_MS
    topic = Topic(
        kind=kind,
        # What is new in a list is counted from when a page looked: no two pages share it.
        key=key or (str(since) if kind == "list" else ""),
        filter=filter if kind == "stream" else canonical(filter),
        scope=scope_of(request.user),
        payload=kind in PAYLOAD_KINDS and request.user.has_perm(VIEW_PAYLOAD),
    )
    token = sign_token(topic, user=str(request.user.pk), since=since)
    return Subscription(topic=topic, token=token, since=since)


def scope_of(user: Any) -> tuple[str, ...] | None:
    """The applications a user sees, as topics carry it: "" stands for rows without any."""
    viewer = viewer_for(user)
    if viewer.applications is None:
        return None
    return (*([""] if viewer.unclaimed else []), *sorted(viewer.applications))


def viewer_of_topic(topic: Topic) -> Viewer:
    """Whose eyes a topic is read with."""
    if topic.scope is None:
        return EVERYTHING
    named = frozenset(topic.scope)
    return Viewer(applications=named - {""}, unclaimed="" in named)


def canonical(query: str) -> str:
    """A query string in one order, so that equal filters share a topic."""
    return urlencode(sorted(parse_qsl(query)))


def sign_token(topic: Topic, *, user: str, since: int) -> str:
    """The token that lets one user listen to a topic."""
    scope = None if topic.scope is None else list(topic.scope)
    body = [topic.kind, topic.key, topic.filter, scope, int(topic.payload), user, since]
    return signing.TimestampSigner(salt=_SALT).sign_object(body)


def read_token(token: str, *, user: str, max_age_s: float = MAX_AGE_S) -> Subscription:
    """The topic a token stands for. Raises TopicRefusedError."""
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
