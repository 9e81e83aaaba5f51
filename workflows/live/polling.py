"""When topics are read: a workflow in each tick until it has ended, a whole page at an interval."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from django.utils.html import format_html

from dboshub.workflows.live.source import Body, Demand, Facts, Moment, digest
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.storage.id_lists import id_chunks
from dboshub.workflows.storage.listing.watch import MAX_IDS
from dboshub.workflows.storage.sql import Session

Look = Callable[[Session, Topic, Moment], Facts]
# What a page shows, as far as a change of it is news.
Shown = Callable[[Session, Topic, Moment], object]
# The frame that says to fetch the page anew.
STALE: Body = {"stale": True}


class RowPolling:
    """One source's memory of what has ended; it holds no more than is shown."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def due(self, demands: Sequence[Demand], moment: Moment) -> list[Demand]:
        """The topics to read now: news may be in any that is unread, unfinished or long unseen."""
        shown = {demand.topic.key for demand in demands}
        self._ended = {key: at for key, at in self._ended.items() if key in shown}
        seldom = moment.timings.terminal
        return [
            demand
            for demand in demands
            if demand.unread
            or moment.at - self._ended.get(demand.topic.key, float("-inf")) >= seldom
        ]

    def rows(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> dict[str, WorkflowRow]:
        """The rows of these topics' workflows, by id; a tick reads each but once."""
        ids = {demand.topic.key for demand in demands}
        for chunk in id_chunks([each for each in ids if each not in moment.rows], MAX_IDS):
            found = rows_by_id(session, chunk)
            moment.rows.update((each, found.get(each)) for each in chunk)
        rows: dict[str, WorkflowRow] = {}
        for each in ids:
            row = moment.rows[each]
            if row is not None:
                rows[each] = row
            if row is None or row.is_final:
                self._ended[each] = moment.at
            else:
                self._ended.pop(each, None)
        return rows


class IntervalSource:
    """Looks as often as rows that have ended are read again, or every `pace_s` seconds; and when a
    page comes that differs."""

    def __init__(self, look: Look, pace_s: float | None = None) -> None:
        self._look = look
        self._pace_s = pace_s
        self._known: dict[Topic, tuple[float, Facts]] = {}

    def look(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> Iterator[tuple[Topic, Facts]]:
        wanted = {demand.topic: demand for demand in demands}
        self._known = {topic: known for topic, known in self._known.items() if topic in wanted}
        for topic, demand in wanted.items():
            known = self._known.get(topic)
            if known is None or self._is_due(*known, demand, moment):
                known = self._known[topic] = moment.at, self._look(session, topic, moment)
            yield topic, known[1]

    def _is_due(self, at: float, facts: Facts, demand: Demand, moment: Moment) -> bool:
        is_newer = demand.unread and not demand.rests(facts.digest)
        pace_s = moment.timings.terminal if self._pace_s is None else self._pace_s
        return is_newer or moment.at - at >= pace_s


class ReloadSource(IntervalSource):
    """Pages that differ by what their readers may do: they fetch them anew."""

    def __init__(self, shown: Shown, pace_s: float | None = None) -> None:
        super().__init__(_digest_only(shown, STALE), pace_s)


class NoticeSource(IntervalSource):
    """Pages whose rows would move under the pointer: a line says that there is more."""

    def __init__(self, shown: Shown, words: str) -> None:
        line = format_html('<a class="news-link" href="">{}</a>', words)
        super().__init__(_digest_only(shown, {"cells": {"news": line}}))


def _digest_only(shown: Shown, body: Body) -> Look:
    def look(session: Session, topic: Topic, moment: Moment) -> Facts:
        return Facts(digest=digest(shown(session, topic, moment)), body=lambda shown: body)

    return look
