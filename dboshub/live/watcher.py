"""The watcher of a web process: reads the topics that have viewers, publishes their changes.

It has one thread and one autocommit connection while anybody is subscribed. A notification only
makes the next tick earlier: correctness depends on the reads alone.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from itertools import groupby
from statistics import median

from django.db import connections
from django.urls import set_script_prefix

from dboshub.live.fanout import Broadcaster
from dboshub.live.listener import Listener
from dboshub.live.timed_session import TimedSession
from dboshub.workflows.engine.background import LoopFailures
from dboshub.workflows.live.source import Body, PollTick, Source, Timings, TopicState, WatchedTopic
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.storage.database import Connection, Database
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.transient_errors import is_transient
from dboshub.workflows.time_budget import TICK_S, time_budget

logger = logging.getLogger(__name__)

RECENT_TICKS = 5
# What viewers get of a topic whose source fails.
UNREADABLE = TopicState(digest="unreadable", body=lambda shown: {"failed": True})


class Watcher:
    """Its thread starts with the first viewer and ends after the last one has left."""

    def __init__(
        self,
        broadcaster: Broadcaster,
        open_system_database: Callable[[], Database],
        sources: Mapping[str, Callable[[], Source]],
        timings: Timings | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.broadcaster = broadcaster
        self.timings = timings or Timings()
        self.ticks = 0
        self._listener = listener
        self._open = open_system_database
        self._sources = sources
        self._failures = LoopFailures(
            "The watcher of live pages",
            first_pause_s=self.timings.tick,
            longest_pause_s=self.timings.beat,
        )
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        broadcaster.on_new_viewer = self._start_or_wake

    def wake(self) -> None:
        """Start the next tick as soon as the minimum gap has passed."""
        self._wake.set()

    def _start_or_wake(self) -> None:
        with self.broadcaster.lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="dboshub-live-watcher", daemon=True
                )
                self._thread.start()
        self.wake()

    def _over(self) -> bool:
        # Under the lock of the broadcaster, so that a viewer who joins now starts a new thread.
        with self.broadcaster.lock:
            if not self.broadcaster.has_viewers:
                self._thread = None
                self._failures.end()
            return self._thread is None

    def _run(self) -> None:
        set_script_prefix(self.broadcaster.script_prefix)
        stop_listening = self._listener.start(self.wake) if self._listener else None
        try:
            self._keep_watching()
        finally:
            if stop_listening:
                stop_listening()

    def _keep_watching(self) -> None:
        while not self._over():
            try:
                self._watch()
            except BaseException as error:
                # Pages notice the missing heartbeat and show "stale".
                self.broadcaster.metrics.failures += 1
                self.broadcaster.mark_all_unread()
                # Not cut short by notices: it would ask a database in trouble more often.
                time.sleep(self._failures.failed(error))
                self._wake.clear()
            finally:
                connections.close_all()

    def _watch(self) -> None:
        """Tick on one connection until there are no viewers, or until a tick fails."""
        database = self._open()
        try:
            connection = database.connect()
            try:
                reader = _TickReader(self.broadcaster, self._sources, self.timings, connection)
                changed = database.change_counter()
                while self.broadcaster.has_viewers:
                    before = changed() if changed else 0
                    took = reader.tick()
                    self._failures.recovered()
                    self.ticks += 1
                    self.broadcaster.metrics.ticked(took)
                    self._wait(took, reader.query_seconds, changed, before)
            finally:
                connection.close()
        finally:
            database.close()

    def _wait(
        self, took: float, query_seconds: float, changed: Callable[[], int] | None, before: int
    ) -> None:
        """Wait for the next tick; `wake`, or a change since the tick began, ends the wait early.

        The minimum gap is always kept. `took` and `query_seconds` are seconds.
        """
        gap = max(self.timings.min_gap, 2 * took)
        time.sleep(gap)
        rest = max(self.timings.tick, self.timings.idle_factor * query_seconds) - gap
        deadline = time.monotonic() + rest
        while (left := deadline - time.monotonic()) > 0:
            if changed and changed() != before:
                break
            # SQLite has no notifications: read its change counter ten times a second.
            if self._wake.wait(min(left, self.timings.min_gap) if changed else left):
                break
        self._wake.clear()


class _TickReader:
    """The ticks on one connection: sources, session and clock offset."""

    def __init__(
        self,
        broadcaster: Broadcaster,
        sources: Mapping[str, Callable[[], Source]],
        timings: Timings,
        connection: Connection,
    ) -> None:
        self._broadcaster = broadcaster
        self._timings = timings
        self._session = TimedSession(connection.session)
        self._sources = {kind: make() for kind, make in sources.items()}
        self._failures: dict[str, LoopFailures] = {}
        self._not_before: dict[str, float] = {}
        self._beat_at = float("-inf")
        self._clock_offset = 0.0
        self._recent_query_seconds: deque[float] = deque(maxlen=RECENT_TICKS)

    @property
    def query_seconds(self) -> float:
        """The median time that the statements of recent ticks took."""
        return median(self._recent_query_seconds)

    def tick(self) -> float:
        """Read all watched topics and publish changes; return the seconds it took."""
        started = time.monotonic()
        self._session.query_seconds = 0.0
        watched_topics = sorted(
            self._broadcaster.watched_topics(), key=lambda watched: watched.topic.kind
        )
        beat = started - self._beat_at >= self._timings.beat
        if beat:
            self._clock_offset = database_now(self._session) / 1000 - time.monotonic()
        now_ms = int((time.monotonic() + self._clock_offset) * 1000)
        tick = PollTick(now_ms=now_ms, at=started, timings=self._timings)
        for kind, group in groupby(watched_topics, key=lambda watched: watched.topic.kind):
            if started >= self._not_before.get(kind, started):
                self._try_kind(kind, [*group], tick)
        # After the reads: a heartbeat means that every change before it was sent.
        self._broadcaster.beat(now_ms, everyone=beat)
        if beat:
            self._beat_at = started
        self._recent_query_seconds.append(self._session.query_seconds)
        return time.monotonic() - started

    def _try_kind(self, kind: str, watched_topics: list[WatchedTopic], tick: PollTick) -> None:
        """Read one kind of topic. If its source fails, the others go on, and it pauses."""
        failures = self._failures.get(kind)
        if failures is None:
            failures = self._failures[kind] = LoopFailures(f"The live source {kind!r}")
        try:
            self._read_kind(kind, watched_topics, tick)
        except Exception as error:
            if is_transient(error):
                raise
            self._broadcaster.metrics.failures += 1
            self._not_before[kind] = time.monotonic() + failures.failed(error)
            for watched in watched_topics:
                self._publish(watched.topic, UNREADABLE, watched.shown - {UNREADABLE.digest})
            # What was not read is not known.
            self._broadcaster.mark_all_unread()
        else:
            failures.recovered()

    def _read_kind(self, kind: str, watched_topics: list[WatchedTopic], tick: PollTick) -> None:
        with time_budget(TICK_S):
            self._publish_changes(kind, watched_topics, tick)

    def _publish_changes(
        self, kind: str, watched_topics: list[WatchedTopic], tick: PollTick
    ) -> None:
        found = [*self._sources[kind].poll(self._session, watched_topics, tick)]
        if not found:
            return
        shown = {watched.topic: watched.shown for watched in watched_topics}
        for topic, state in found:
            stale = shown[topic] - {state.digest}
            if stale:
                self._publish(topic, state, stale)

    def _publish(self, topic: Topic, state: TopicState, stale: frozenset[str]) -> None:
        name = topic.id
        texts: dict[str, str] = {}
        for digest in stale:
            frame = {"topic": name, "digest": state.digest, **_body(state, digest)}
            texts[digest] = json.dumps(frame, separators=(",", ":"))
        self._broadcaster.publish(name, state.digest, texts)


def _body(state: TopicState, shown: str) -> Body:
    """The body of a frame. A region that fails to render must not stop the others."""
    try:
        return state.body(shown)
    except Exception as error:
        if is_transient(error):
            raise
        logger.exception("live.render_failed")
        return {"failed": True}
