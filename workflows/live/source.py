"""The interface between the watcher and the sources of topics. No SQL, no rendering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

from django.conf import settings

from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """The intervals of live updates, in seconds."""

    # Between two ticks; longer if this multiple of the time of a tick's statements is longer.
    tick: float = 0.5
    idle_factor: float = 10.0
    # After a tick, even if a notification arrives.
    min_gap: float = 0.1
    # Between two reads of an ended workflow, or of a page.
    ended_interval: float = 10.0
    # How far back each tick reads new rows; and how far back once per sweep.
    window: float = 5.0
    sweep: float = 30.0
    sweep_window: float = 60.0
    # Between two heartbeats to all sockets.
    beat: float = 5.0
    # Between two checks of a socket's session and permissions.
    recheck: float = 30.0
    # For a browser to acknowledge a frame.
    ack: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTick:
    """One round of reads. ``now_ms`` is the database's time, ``at`` monotonic time in seconds.

    ``rows`` caches the workflow rows of this tick for all sources; None is a missing row.
    """

    now_ms: int
    at: float
    timings: Timings = field(default_factory=Timings)
    rows: dict[str, WorkflowRow | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTopic:
    """A topic with viewers.

    ``shown`` holds the digests that they show, ``since`` the earliest time at which one of their
    pages was read (epoch ms). ``unread`` is True until the topic is read after a viewer joined.
    """

    topic: Topic
    unread: bool
    since: int
    shown: frozenset[str]

    def is_current(self, digest: str) -> bool:
        """Whether all viewers show this digest."""
        return len(self.shown) == 1 and digest in self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """The current digest of a topic; ``body`` makes the frame for a viewer of another digest."""

    digest: str
    body: Callable[[str], Body]


class Source(Protocol):
    """Reads all watched topics of one kind. One instance serves one watcher, on one thread.

    The number of statements must not depend on the number of viewers. A topic that is current may
    be left out.
    """

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterable[tuple[Topic, TopicState]]: ...


class DigestCache:
    """Computes digests only for facts that changed since the previous poll."""

    def __init__(self) -> None:
        self._before: dict[object, tuple[tuple[object, ...], str]] = {}
        self._known = self._before

    def begin(self) -> None:
        """Begin a poll: forget the digests that the previous poll did not use."""
        self._before, self._known = self._known, {}

    def of(self, key: object, *facts: object) -> str:
        known = self._known.get(key) or self._before.get(key)
        if known is None or known[0] != facts:
            known = facts, digest(*facts)
        self._known[key] = known
        return known[1]


def digest(*facts: object) -> str:
    """A short keyed digest of some facts; it only shows whether they are equal."""
    # Without a key, the digest of a value with few possibilities would reveal the value.
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=9, key=_key(settings.SECRET_KEY)).hexdigest()


@cache
def _key(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"dboshub.live").digest()
