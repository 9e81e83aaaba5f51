"""Live updates of queue pages when depths, limits, pauses or executors change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import parse_qs, urlencode

from dboshub.queues.selectors import overview
from dboshub.queues.selectors.overview import QueueFacts
from dboshub.workflows.live.polling import ReloadSource
from dboshub.workflows.live.source import PollTick, Source
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.storage.sql import Session


def queue_facts(queues: Sequence[QueueFacts]) -> object:
    """The values whose change updates a page about these queues. Heartbeats are not among them."""
    return [
        (
            each.name,
            each.settings,
            each.depth,
            each.pause,
            each.updated_at,
            None if each.servers is None else sorted(one.incarnation for one in each.servers),
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
    return queue_facts(page.queues)


def _queue(session: Session, topic: Topic, tick: PollTick) -> object:
    found = overview.one(session, topic.key, viewer_of_topic(topic), now=tick.now_ms)
    return queue_facts([found] if found else [])


SOURCES: Mapping[str, Callable[[], Source]] = {
    "queues": partial(ReloadSource, _page),
    "queue": partial(ReloadSource, _queue),
}
