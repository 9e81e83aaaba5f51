"""What the watcher and the sources of an app agree on. No SQL, no rendering."""

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
    """Every interval of live push, in seconds; tests pass shorter ones."""

    tick: float = 0.5
    idle_factor: float = 10.0
    min_gap: float = 0.1
    ended_interval: float = 10.0
    window: float = 5.0
    sweep: float = 30.0
    sweep_window: float = 60.0
    beat: float = 5.0
    recheck: float = 30.0
    ack: float = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PollTick:
    """When a tick looks: ``now_ms`` by the database's clock, ``at`` by ours (monotonic seconds).

    ``rows`` are the workflows it has read so far, for all sources; None is one that is not there.
    """

    now_ms: int
    at: float
    timings: Timings = field(default_factory=Timings)
    rows: dict[str, WorkflowRow | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedTopic:
    """One topic somebody shows. ``shown`` are the digests its viewers have."""

    topic: Topic
    unread: bool
    since: int
    shown: frozenset[str]

    def is_current(self, digest: str) -> bool:
        """Whether this is what all its viewers have."""
        return len(self.shown) == 1 and digest in self.shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicState:
    """What is true of a topic; ``body`` makes the frame for a viewer who shows a given digest."""

    digest: str
    body: Callable[[str], Body]


class Source(Protocol):
    """Reads the truth of every topic of one kind, in a number of statements that viewers
    do not raise. What rests may be left out. One instance serves one watcher, on one thread."""

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterable[tuple[Topic, TopicState]]: ...


class DigestCache:
    """Digests that are made anew only of facts that moved since the last look."""

    def __init__(self) -> None:
        self._before: dict[object, tuple[tuple[object, ...], str]] = {}
        self._known = self._before

    def begin(self) -> None:
        """A look begins: what the last one did not ask for is forgotten."""
        self._before, self._known = self._known, {}

    def of(self, key: object, *facts: object) -> str:
        known = self._known.get(key) or self._before.get(key)
        if known is None or known[0] != facts:
            known = facts, digest(*facts)
        self._known[key] = known
        return known[1]


def digest(*facts: object) -> str:
    """A short keyed digest: it tells equal from different and nothing else."""
    # Keyed, because the digest of a secret with few possible values would reveal it.
    text = json.dumps(facts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=9, key=_key(settings.SECRET_KEY)).hexdigest()


@cache
def _key(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=32, person=b"dboshub.live").digest()
