"""Live updates of queue pages when depths, limits, pauses or executors change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs, urlencode

from dboshub.queues.selectors import overview
from dboshub.queues.selectors.overview import QueueFacts
from dboshub.queues.why_not.heads import of_heads
from dboshub.workflows.live.polling import ReloadSource
from dboshub.workflows.live.source import PollTick, Source
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.live.waiting_reasons import reason_facts
from dboshub.workflows.rendering.reason import Reason
from dboshub.workflows.storage.sql import Session


def queue_facts(queues: Sequence[QueueFacts], reasons: Mapping[str, Reason]) -> object:
    """The values whose change updates a page about these queues. Heartbeats are not among them.

    `reasons` says, by the queue's name, why its next workflow has not started.
    """
    return [
        (
            each.name,
            each.settings,
            each.depth,
            each.pause,
            each.updated_at,
            None if each.servers is None else sorted(one.incarnation for one in each.servers),
            reason_facts(reasons.get(each.name)),
        )
        for each in queues
    ]


def page_key(after: str, prefix: str) -> str:
    """The topic key of a page of the list."""
    return urlencode({"after": after, "q": prefix})


def _page(session: Session, topic: Topic, tick: PollTick) -> object:
    said = {key: values[0] for key, values in parse_qs(topic.key).items()}
    place = {"after": said.get("after", ""), "prefix": said.get("q", "")}
    page = overview.page(session, viewer_of_topic(topic), now=tick.now_ms, **place)
    return queue_facts(page.queues, of_heads(session, page.queues, tick.now_ms))


def _queue(session: Session, topic: Topic, tick: PollTick) -> object:
    found = overview.one(session, topic.key, viewer_of_topic(topic), now=tick.now_ms)
    queues = [found] if found else []
    return queue_facts(queues, of_heads(session, queues, tick.now_ms))


SOURCES: Mapping[str, Callable[[], Source]] = {
    "queues": partial(ReloadSource, _page),
    "queue": partial(ReloadSource, _queue),
}
