"""Live updates of streams: new values are appended; values that a page shows are not sent again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from dboshub.workflows.live.polling import RowPolling
from dboshub.workflows.live.rows import GONE
from dboshub.workflows.live.sections import SectionSource
from dboshub.workflows.live.source import Body, PollTick, TopicState, WatchedTopic
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.rendering.page_templates import render_to_string
from dboshub.workflows.rendering.values import ValueAddress, listed
from dboshub.workflows.storage.listing import watch
from dboshub.workflows.storage.sql import Row, Session

# Values that a page keeps; characters of a frame; characters of a value that is shown.
MAX_VALUES = 500
MAX_FRAME_TEXT = 256 * 1024
MAX_VALUE_SIZE = 4 * 1024


class StreamSource:
    """A topic with a stream key follows its values; one without is the section of all streams."""

    def __init__(self) -> None:
        self._section = SectionSource("stream")
        self._follow = StreamValueSource()

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        followed = [watched for watched in watched_topics if watched.topic.filter]
        sections = [watched for watched in watched_topics if not watched.topic.filter]
        if sections:
            yield from self._section.poll(session, sections, tick)
        if followed:
            yield from self._follow.poll(session, followed, tick)


class StreamValueSource:
    """Two statements find the streams that grew; one per stream and offset reads the values."""

    def __init__(self) -> None:
        self._polling = RowPolling()

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        due = self._polling.due(watched_topics, tick)
        rows = self._polling.rows(session, due, tick)
        topics = [watched.topic for watched in due]
        ends = watch.stream_ends(session, {(topic.key, topic.filter) for topic in topics})
        for topic in topics:
            row = rows.get(topic.key)
            if row is None or not viewer_of_topic(topic).may_see(row.application_name):
                yield topic, GONE
            else:
                end = ends[topic.key, topic.filter]
                # The digest is the next offset: a page shows every value before it.
                yield (
                    topic,
                    TopicState(digest=str(end), body=cache(_NewValues(session, topic, end))),
                )


class _NewValues:
    """The values that a page lacks, by the offset up to which it shows the stream."""

    def __init__(self, session: Session, topic: Topic, end: int) -> None:
        self._session = session
        self._topic = topic
        self._end = end

    def __call__(self, shown: str) -> Body:
        reached = int(shown) if shown.isdecimal() else 0
        # A stream that ends before the shown offset was deleted and written again.
        is_new = reached > self._end
        start = max(0 if is_new else reached, self._end - MAX_VALUES)
        values, gap_end = self._values(start)
        return {
            "reset": is_new,
            "gap": [0 if is_new else reached, gap_end],
            "next": self._end,
            "values": values,
        }

    def _values(self, start: int) -> tuple[list[dict[str, Any]], int]:
        """The newest values that fit into a frame, in order, and their first offset."""
        found = watch.stream_values(
            self._session,
            self._topic.key,
            self._topic.filter,
            start=start,
            stop=self._end,
            most=MAX_VALUE_SIZE if self._topic.payload else -1,
        )
        values: list[dict[str, Any]] = []
        room = MAX_FRAME_TEXT
        for value in reversed(found):
            html = self._html(value)
            room -= len(html)
            if room < 0:
                break
            values.insert(0, {"offset": value[0], "html": html})
        return values, values[0]["offset"] if values else self._end

    def _html(self, value: Row) -> str:
        """One value as a list item; a value that is too large or not permitted shows its size."""
        offset, text, size, serialization = value
        address = ValueAddress(self._topic.key, "stream", self._topic.filter, offset)
        seen = listed(address, size, text, serialization, payload=self._topic.payload)
        context = {"offset": offset, "value": seen}
        return render_to_string("dboshub/workflows/_stream_value.html", context)
