"""Live updates of the incidents: a notice when they change; the page changes on reload."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import format_html

from dboshub.incidents.current import current_incidents
from dboshub.incidents.incident import Incident
from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.live.polling import IntervalSource
from dboshub.workflows.live.source import PollTick, TopicState, digest
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.storage.sql import Session


def problems_digest(found: Iterable[Incident]) -> str:
    """The digest of the incidents by kind, key and state; other changes do not count."""
    return digest(sorted((each.kind.token, each.key, each.state) for each in found))


class ProblemsSource(IntervalSource):
    """Read once for all viewers with the same permissions."""

    def __init__(self) -> None:
        super().__init__(_facts)


def _facts(session: Session, topic: Topic, tick: PollTick) -> TopicState:
    viewer, rights = viewer_of_topic(topic), frozenset(topic.key.split(",")) - {""}
    waiting = waiting_since(session, viewer)
    found = current_incidents(session, viewer, rights, waiting=waiting, now=tick.now_ms)
    html = format_html("<strong>{}</strong>", "The problems have changed.")
    return TopicState(digest=problems_digest(found), body=lambda shown: {"cells": {"news": html}})
