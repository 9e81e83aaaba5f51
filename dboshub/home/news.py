"""Telling an open page that what is wrong has changed; it changes when somebody looks again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.html import format_html

from dboshub.home.findings import Group
from dboshub.home.looking import wrong_now
from queues.selectors.busy import waiting_since
from workflows.live.source import Demand, Facts, Moment, digest
from workflows.storage.sql import Session
from workflows.topics import Topic, viewer_of


def wrong_digest(groups: Sequence[Group]) -> str:
    """What is wrong with what: more of the same is no news."""
    return digest(
        [(group.title, sorted(each.subject for each in group.findings)) for group in groups]
    )


class WrongSource:
    """Looks as often as rows that have ended are read again, once for all with the same rights."""

    def __init__(self) -> None:
        self._known: dict[Topic, tuple[float, Facts]] = {}

    def look(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> Iterator[tuple[Topic, Facts]]:
        topics = {demand.topic for demand in demands}
        self._known = {topic: known for topic, known in self._known.items() if topic in topics}
        for topic in topics:
            at, facts = self._known.get(topic, (float("-inf"), None))
            if facts is None or moment.at - at >= moment.timings.terminal:
                facts = _facts(session, topic, moment.now_ms)
                self._known[topic] = moment.at, facts
            yield topic, facts


def _facts(session: Session, topic: Topic, now: int) -> Facts:
    viewer, rights = viewer_of(topic), frozenset(topic.key.split(",")) - {""}
    groups = wrong_now(session, viewer, rights, waiting_since(session, viewer), now)
    html = format_html("<strong>{}</strong>", "What is wrong has changed.")
    return Facts(digest=wrong_digest(groups), body=lambda shown: {"cells": {"news": html}})
