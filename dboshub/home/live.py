"""Live updates of the findings: a notice when they change; the page changes on reload."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html

from dboshub.home.findings import Group
from dboshub.home.health_checks import current_problems
from dboshub.queues.selectors.busy_queues import waiting_since
from dboshub.workflows.live.polling import IntervalSource
from dboshub.workflows.live.source import PollTick, TopicState, digest
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.rollups.series import counted_until
from dboshub.workflows.storage.sql import Session


def problems_digest(groups: Sequence[Group]) -> str:
    """The digest of the findings by kind and subject; other changes do not count."""
    return digest(
        [(group.title, sorted(each.subject for each in group.findings)) for group in groups]
    )


class ProblemsSource(IntervalSource):
    """Read once for all viewers with the same permissions."""

    def __init__(self) -> None:
        super().__init__(_facts)


def _facts(session: Session, topic: Topic, tick: PollTick) -> TopicState:
    viewer, rights = viewer_of_topic(topic), frozenset(topic.key.split(",")) - {""}
    groups = current_problems(
        session,
        viewer,
        rights,
        waiting=waiting_since(session, viewer),
        counted=counted_until(),
        now=tick.now_ms,
    )
    html = format_html("<strong>{}</strong>", "The problems have changed.")
    return TopicState(digest=problems_digest(groups), body=lambda shown: {"cells": {"news": html}})
