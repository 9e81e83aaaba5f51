"""Process-local fan-out: topics, who shows them, and what each still has to be sent.

The watcher's thread publishes, sockets on the event loop take. A frame's text is made once
and shared; a frame not yet sent is replaced by a newer one of its topic.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from dboshub.live.metrics import LiveMetrics
from dboshub.workflows.live.source import WatchedTopic
from dboshub.workflows.live.subscriptions import Topic


class Subscriber:
    """One socket's side of the hub."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.ready = asyncio.Event()
        self.pending: dict[str, str] = {}
        self.beat_ms: int | None = None
        self.topics: set[str] = set()

    def wake(self) -> None:
        """Tell the socket to look; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self.ready.set)
        except RuntimeError:
            pass  # the loop has closed, and its sockets with it


@dataclass(slots=True)
class _TopicSubscribers:
    topic: Topic
    unread: bool = True
    since: dict[Subscriber, int] = field(default_factory=dict)
    shown: dict[Subscriber, str] = field(default_factory=dict)
    # Kept until a viewer comes, goes or is sent something: most topics rest from tick to tick.
    watched: WatchedTopic | None = None

    def read(self) -> WatchedTopic:
        """What is asked for now; the next time it has been read."""
        watched = self.watched or WatchedTopic(
            topic=self.topic,
            unread=self.unread,
            since=min(self.since.values()),
            shown=frozenset(self.shown.values()),
        )
        self.watched = None if self.unread else watched
        self.unread = False
        return watched


class Broadcaster:
    """Topics and their viewers. Every method may be called from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.metrics = LiveMetrics()
        self._by_topic: dict[str, _TopicSubscribers] = {}
        self._new_subscribers: set[Subscriber] = set()
        self._awaiting_beat: set[Subscriber] = set()
        self.on_new_viewer: Callable[[], None] = lambda: None
        # What comes before our addresses where pages are served: links in frames begin with it.
        self.script_prefix = "/"

    def subscribe(self, subscriber: Subscriber, topic: Topic, *, shown: str, since: int) -> None:
        """Add a viewer who shows a digest; whatever differs from it will be sent."""
        topic_id = topic.id
        with self.lock:
            audience = self._by_topic.setdefault(topic_id, _TopicSubscribers(topic))
            audience.unread = True
            audience.watched = None
            audience.shown[subscriber] = shown
            audience.since[subscriber] = since
            subscriber.pending.pop(topic_id, None)
            if not subscriber.topics:
                self._new_subscribers.add(subscriber)
            subscriber.topics.add(topic_id)
        self.on_new_viewer()

    def unsubscribe(self, subscriber: Subscriber, topic_id: str) -> None:
        with self.lock:
            audience = self._by_topic.get(topic_id)
            if audience is None or topic_id not in subscriber.topics:
                return
            subscriber.topics.discard(topic_id)
            audience.shown.pop(subscriber, None)
            audience.since.pop(subscriber, None)
            audience.watched = None
            subscriber.pending.pop(topic_id, None)
            if not audience.shown:
                del self._by_topic[topic_id]

    def leave(self, subscriber: Subscriber) -> None:
        """Forget a viewer altogether."""
        with self.lock:
            self._new_subscribers.discard(subscriber)
            self._awaiting_beat.discard(subscriber)
            for topic_id in [*subscriber.topics]:
                self.unsubscribe(subscriber, topic_id)

    @property
    def has_viewers(self) -> bool:
        return bool(self._by_topic)

    def followed(self) -> int:
        """How many different topics somebody shows."""
        return len(self._by_topic)

    def watched_topics(self) -> list[WatchedTopic]:
        """What is shown now; marks all of it as being read."""
        with self.lock:
            self._awaiting_beat, self._new_subscribers = self._new_subscribers, set()
            return [each.read() for each in self._by_topic.values()]

    def mark_all_unread(self) -> None:
        """A tick failed: everything has to be read again."""
        with self.lock:
            for each in self._by_topic.values():
                each.unread = True
                each.watched = None

    def publish(self, topic_id: str, digest: str, frames: dict[str, str]) -> None:
        """Queue a frame for every viewer of the topic; ``frames`` is by the digest they show."""
        with self.lock:
            audience = self._by_topic.get(topic_id)
            if audience is None:
                return
            audience.watched = None
            for subscriber, shown in audience.shown.items():
                if shown in frames:
                    subscriber.pending[topic_id] = frames[shown]
                    audience.shown[subscriber] = digest
                    subscriber.wake()

    def beat(self, now_ms: int, *, everyone: bool) -> None:
        """Tell viewers the database's time: all, or those whose topics were read just now first."""
        with self.lock:
            told, self._awaiting_beat = self._awaiting_beat, set()
            if everyone:
                told = {each for known in self._by_topic.values() for each in known.shown}
            for subscriber in told:
                subscriber.beat_ms = now_ms
                subscriber.wake()

    def take(self, subscriber: Subscriber) -> tuple[list[str], int | None]:
        """What a socket has to send now."""
        with self.lock:
            frames, beat_ms = [*subscriber.pending.values()], subscriber.beat_ms
            subscriber.pending.clear()
            subscriber.beat_ms = None
            subscriber.ready.clear()
            return frames, beat_ms
