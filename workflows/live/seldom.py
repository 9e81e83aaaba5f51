"""Topics that are looked at seldom, once for all who share them: counts, and pages about much."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from django.utils.html import format_html

from dboshub.workflows.live.source import Body, Demand, Facts, Moment, digest
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.topics import Topic

Look = Callable[[Session, Topic, Moment], Facts]
# What a page shows, as far as a change of it is news.
Shown = Callable[[Session, Topic, Moment], object]
# The frame that says to fetch the page anew.
STALE: Body = {"stale": True}


class SeldomSource:
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


class PageSource(SeldomSource):
    """Pages that differ by what their readers may do: they fetch them anew."""

    def __init__(self, shown: Shown, pace_s: float | None = None) -> None:
        super().__init__(_telling(shown, STALE), pace_s)


class NewsSource(SeldomSource):
    """Pages whose rows would move under the pointer: a line says that there is more."""

    def __init__(self, shown: Shown, words: str) -> None:
        line = format_html('<a class="news-link" href="">{}</a>', words)
        super().__init__(_telling(shown, {"cells": {"news": line}}))


def _telling(shown: Shown, body: Body) -> Look:
    def look(session: Session, topic: Topic, moment: Moment) -> Facts:
        return Facts(digest=digest(shown(session, topic, moment)), body=lambda shown: body)

    return look
