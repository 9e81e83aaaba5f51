"""When topics are read: unfinished workflows in every tick, ended ones and pages at an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from django.utils.html import format_html

from dboshub.workflows.live.source import Body, PollTick, TopicState, WatchedTopic, digest
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.storage.id_lists import id_chunks
from dboshub.workflows.storage.listing.watch import MAX_IDS
from dboshub.workflows.storage.sql import Session

Poll = Callable[[Session, Topic, PollTick], TopicState]
# The values whose change updates a page.
Shown = Callable[[Session, Topic, PollTick], object]
# The frame that makes a page reload.
STALE: Body = {"stale": True}


class RowPolling:
    """Chooses the workflow rows that a source reads; remembers the watched ones that ended."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def due(self, watched_topics: Sequence[WatchedTopic], tick: PollTick) -> list[WatchedTopic]:
        """The topics to read now: unread, unfinished, or ended and not read for an interval."""
        shown = {watched.topic.key for watched in watched_topics}
        self._ended = {key: at for key, at in self._ended.items() if key in shown}
        interval_s = tick.timings.ended_interval
        return [
            watched
            for watched in watched_topics
            if watched.unread
            or tick.at - self._ended.get(watched.topic.key, float("-inf")) >= interval_s
        ]

    def rows(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> dict[str, WorkflowRow]:
        """The rows of these topics' workflows by id; a tick reads each row only once."""
        ids = {watched.topic.key for watched in watched_topics}
        for chunk in id_chunks([each for each in ids if each not in tick.rows], MAX_IDS):
            found = rows_by_id(session, chunk)
            tick.rows.update((each, found.get(each)) for each in chunk)
        rows: dict[str, WorkflowRow] = {}
        for each in ids:
            row = tick.rows[each]
            if row is not None:
                rows[each] = row
            if row is None or row.is_final:
                self._ended[each] = tick.at
            else:
                self._ended.pop(each, None)
        return rows


class IntervalSource:
    """Reads each topic every `interval_s` seconds (by default `timings.ended_interval`), and at
    once when a new viewer shows another digest."""

    def __init__(self, poll: Poll, interval_s: float | None = None) -> None:
        self._look = poll
        self._interval_s = interval_s
        self._known: dict[Topic, tuple[float, TopicState]] = {}

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        wanted = {watched.topic: watched for watched in watched_topics}
        self._known = {topic: known for topic, known in self._known.items() if topic in wanted}
        for topic, watched in wanted.items():
            known = self._known.get(topic)
            if known is None or self._is_due(*known, watched, tick):
                known = self._known[topic] = tick.at, self._look(session, topic, tick)
            yield topic, known[1]

    def _is_due(self, at: float, facts: TopicState, watched: WatchedTopic, tick: PollTick) -> bool:
        is_newer = watched.unread and not watched.is_current(facts.digest)
        interval_s = tick.timings.ended_interval if self._interval_s is None else self._interval_s
        return is_newer or tick.at - at >= interval_s


class ReloadSource(IntervalSource):
    """Makes pages reload: for pages that differ by the permissions of their viewers."""

    def __init__(self, shown: Shown, interval_s: float | None = None) -> None:
        super().__init__(_digest_only(shown, STALE), interval_s)


class NoticeSource(IntervalSource):
    """Shows a notice with a link: for pages whose rows would otherwise move under the pointer."""

    def __init__(self, shown: Shown, words: str) -> None:
        line = format_html('<a class="news-link" href="">{}</a>', words)
        super().__init__(_digest_only(shown, {"cells": {"news": line}}))


def _digest_only(shown: Shown, body: Body) -> Poll:
    def poll(session: Session, topic: Topic, tick: PollTick) -> TopicState:
        return TopicState(digest=digest(shown(session, topic, tick)), body=lambda shown: body)

    return poll
