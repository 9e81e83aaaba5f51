"""One per web process: reads what is shown, publishes what differs. No sockets here.

It has its own thread and its own autocommit connection, both only while somebody is subscribed.
Truth is what a tick reads; notifications only bring a tick forward.
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

from dboshub.live.fanout import Hub
from dboshub.live.listener import Listener
from dboshub.live.timed_session import TimedSession
from dboshub.workflows.live.source import Body, Demand, Facts, Moment, Source, Timings
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.storage.database import Connection, Database
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.transient_errors import is_transient

logger = logging.getLogger(__name__)

RECENT_TICKS = 5


class Watcher:
    """Starts its thread with the first viewer and ends it with the last."""

    def __init__(
        self,
        hub: Hub,
        open_system_database: Callable[[], Database],
        sources: Mapping[str, Callable[[], Source]],
        timings: Timings | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.hub = hub
        self.timings = timings or Timings()
        self.ticks = 0
        self._listener = listener
        self._open = open_system_database
        self._sources = sources
        self._nudged = threading.Event()
        self._thread: threading.Thread | None = None
        hub.on_demand = self._demanded

    def nudge(self) -> None:
        """Bring the next tick forward."""
        self._nudged.set()

    def _demanded(self) -> None:
        with self.hub.lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="dboshub-live-watcher", daemon=True
                )
                self._thread.start()
        self.nudge()

    def _over(self) -> bool:
        # Under the hub's lock, so that a viewer who comes now starts a new thread.
        with self.hub.lock:
            if not self.hub.watched:
                self._thread = None
            return self._thread is None

    def _run(self) -> None:
        set_script_prefix(self.hub.script_prefix)
        stop_listening = self._listener.start(self.nudge) if self._listener else None
        try:
            self._keep_watching()
        finally:
            if stop_listening:
                stop_listening()

    def _keep_watching(self) -> None:
        pause = self.timings.tick
        while not self._over():
            try:
                self._watch()
                pause = self.timings.tick
            except Exception:
                # The page notices by the missing beat and says "stale".
                logger.exception("live.watch_failed")
                self.hub.meter.failures += 1
                self.hub.mark_all_unread()
                self._nudged.wait(pause)
                self._nudged.clear()
                pause = min(pause * 2, self.timings.beat)
            finally:
                connections.close_all()

    def _watch(self) -> None:
        """Tick on one connection until nobody is there, or it fails."""
        database = self._open()
        try:
            connection = database.connect()
            try:
                look = _TickReader(self.hub, self._sources, self.timings, connection)
                changed = database.change_counter()
                while self.hub.watched:
                    before = changed() if changed else 0
                    took = look.tick()
                    self.ticks += 1
                    self.hub.meter.ticked(took)
                    self._wait(took, look.asked, changed, before)
            finally:
                connection.close()
        finally:
            database.close()

    def _wait(
        self, took: float, asked: float, changed: Callable[[], int] | None, before: int
    ) -> None:
        """Sleep out the tick; a nudge, or a change since before it, ends the sleep early.

        Nothing ends the gap that spares the process; the database is spared for longer.
        """
        gap = max(self.timings.nudge, 2 * took)
        time.sleep(gap)
        rest = max(self.timings.tick, self.timings.duty * asked) - gap
        deadline = time.monotonic() + rest
        while (left := deadline - time.monotonic()) > 0:
            if changed and changed() != before:
                break
            # SQLite tells nobody: its change counter is looked at ten times a second.
            if self._nudged.wait(min(left, self.timings.nudge) if changed else left):
                break
        self._nudged.clear()


class _TickReader:
    """What one connection's worth of ticks remembers."""

    def __init__(
        self,
        hub: Hub,
        sources: Mapping[str, Callable[[], Source]],
        timings: Timings,
        connection: Connection,
    ) -> None:
        self._hub = hub
        self._timings = timings
        self._session = TimedSession(connection.session)
        self._sources = {kind: make() for kind, make in sources.items()}
        self._beat_at = float("-inf")
        self._clock_offset = 0.0
        self._asked: deque[float] = deque(maxlen=RECENT_TICKS)

    @property
    def asked(self) -> float:
        """How long ticks lately keep the database busy; a single slow one says nothing."""
        return median(self._asked)

    def tick(self) -> float:
        """Read everything that is due and publish what differs; how long it took."""
        started = time.monotonic()
        self._session.asked = 0.0
        demands = sorted(self._hub.demands(), key=lambda demand: demand.topic.kind)
        beat = started - self._beat_at >= self._timings.beat
        if beat:
            self._clock_offset = database_now(self._session) / 1000 - time.monotonic()
        now_ms = int((time.monotonic() + self._clock_offset) * 1000)
        moment = Moment(now_ms=now_ms, at=started, timings=self._timings)
        for kind, group in groupby(demands, key=lambda demand: demand.topic.kind):
            self._look(kind, [*group], moment)
        # After the reading: a beat says that everything before it has been seen.
        self._hub.beat(now_ms, everyone=beat)
        if beat:
            self._beat_at = started
        self._asked.append(self._session.asked)
        return time.monotonic() - started

    def _look(self, kind: str, demands: list[Demand], moment: Moment) -> None:
        found = [*self._sources[kind].look(self._session, demands, moment)]
        if not found:
            return
        shown = {demand.topic: demand.shown for demand in demands}
        for topic, facts in found:
            stale = shown[topic] - {facts.digest}
            if stale:
                self._publish(topic, facts, stale)

    def _publish(self, topic: Topic, facts: Facts, stale: frozenset[str]) -> None:
        name = topic.id
        texts: dict[str, str] = {}
        for digest in stale:
            frame = {"topic": name, "digest": facts.digest, **_body(facts, digest)}
            texts[digest] = json.dumps(frame, separators=(",", ":"))
        self._hub.publish(name, facts.digest, texts)


def _body(facts: Facts, shown: str) -> Body:
    """What a frame says; one region that cannot be rendered must not stop all the others."""
    try:
        return facts.body(shown)
    except Exception as error:
        if is_transient(error):
            raise
        logger.exception("live.render_failed")
        return {"failed": True}
