"""Fan-out within a process: topics, their subscribers, and the frames that are still to be sent.

The watcher's thread publishes; sockets on the event loop take. The text of a frame is shared by
all subscribers. A frame that was not sent yet is replaced by a newer one of its topic.
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
    """One socket: its topics and its unsent frames."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.ready = asyncio.Event()
        self.pending: dict[str, str] = {}
        self.beat_ms: int | None = None
        self.topics: set[str] = set()

    def wake(self) -> None:
        """Wake the socket's sender. May be called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self.ready.set)
        except RuntimeError:
            pass  # the event loop has closed, and so have its sockets


@dataclass(slots=True)
class _TopicSubscribers:
    topic: Topic
    unread: bool = True
    since: dict[Subscriber, int] = field(default_factory=dict)
    shown: dict[Subscriber, str] = field(default_factory=dict)
    # Cached until a viewer joins, leaves or is sent a frame: most topics do not change.
    watched: WatchedTopic | None = None

    def read(self) -> WatchedTopic:
        """The topic for the next tick; marks it as read."""
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
    """Topics and their subscribers. Every method may be called from any thread."""

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
        """Add a viewer of a topic who shows a digest; a frame is sent when the digest differs."""
        topic_id = topic.id
        with self.lock:
            subscribers = self._by_topic.setdefault(topic_id, _TopicSubscribers(topic))
            subscribers.unread = True
            subscribers.watched = None
            subscribers.shown[subscriber] = shown
            subscribers.since[subscriber] = since
            subscriber.pending.pop(topic_id, None)
            if not subscriber.topics:
                self._new_subscribers.add(subscriber)
            subscriber.topics.add(topic_id)
        self.on_new_viewer()

    def unsubscribe(self, subscriber: Subscriber, topic_id: str) -> None:
        with self.lock:
            subscribers = self._by_topic.get(topic_id)
            if subscribers is None or topic_id not in subscriber.topics:
                return
            subscriber.topics.discard(topic_id)
            subscribers.shown.pop(subscriber, None)
            subscribers.since.pop(subscriber, None)
            subscribers.watched = None
            subscriber.pending.pop(topic_id, None)
            if not subscribers.shown:
                del self._by_topic[topic_id]

    def leave(self, subscriber: Subscriber) -> None:
        """Remove a subscriber from all topics."""
        with self.lock:
            self._new_subscribers.discard(subscriber)
            self._awaiting_beat.discard(subscriber)
            for topic_id in [*subscriber.topics]:
                self.unsubscribe(subscriber, topic_id)

    @property
    def has_viewers(self) -> bool:
        return bool(self._by_topic)

    def topic_count(self) -> int:
        """The number of topics that have viewers."""
        return len(self._by_topic)

    def watched_topics(self) -> list[WatchedTopic]:
        """All topics that have viewers; marks them as read."""
        with self.lock:
            self._awaiting_beat, self._new_subscribers = self._new_subscribers, set()
            return [each.read() for each in self._by_topic.values()]

    def mark_all_unread(self) -> None:
        """Make the next tick read every topic again, because a tick failed."""
        with self.lock:
            for each in self._by_topic.values():
                each.unread = True
                each.watched = None

    def publish(self, topic_id: str, digest: str, frames: dict[str, str]) -> None:
        """Queue frames for the viewers of a topic; ``frames`` maps shown digests to frames."""
        with self.lock:
            subscribers = self._by_topic.get(topic_id)
            if subscribers is None:
                return
            subscribers.watched = None
            for subscriber, shown in subscribers.shown.items():
                if shown in frames:
                    subscriber.pending[topic_id] = frames[shown]
                    subscribers.shown[subscriber] = digest
                    subscriber.wake()

    def beat(self, now_ms: int, *, everyone: bool) -> None:
        """Send the database's time to all viewers, or to those who joined before this tick."""
        with self.lock:
            told, self._awaiting_beat = self._awaiting_beat, set()
            if everyone:
                told = {each for known in self._by_topic.values() for each in known.shown}
            for subscriber in told:
                subscriber.beat_ms = now_ms
                subscriber.wake()

    def take(self, subscriber: Subscriber) -> tuple[list[str], int | None]:
        """The frames and the heartbeat that a socket has to send now."""
        with self.lock:
            frames, beat_ms = [*subscriber.pending.values()], subscriber.beat_ms
            subscriber.pending.clear()
            subscriber.beat_ms = None
            subscriber.ready.clear()
            return frames, beat_ms
