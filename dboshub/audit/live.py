"""Live updates of the audit log: a notice when there is a new entry of its filter."""

from __future__ import annotations

from functools import partial

from django.http import QueryDict

from dboshub.audit import selectors
from dboshub.workflows.live.polling import NoticeSource
from dboshub.workflows.live.source import PollTick
from dboshub.workflows.live.subscriptions import Topic, viewer_of_topic
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.storage.sql import Session


def page_key(viewer: Viewer, user_id: object) -> str:
    """The key of a topic: the user, if the page shows the user's own events besides a scope."""
    return "" if viewer.applications is None else str(user_id)


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    """The value whose change updates the page: the newest event of a filter."""
    wanted = selectors.criteria(QueryDict(topic.filter), now=tick.now_ms)
    viewer = viewer_of_topic(topic)
    return [event.pk for event in selectors.page(wanted, viewer, topic.key or None, size=1).events]


AuditSource = partial(NoticeSource, _shown, "There are new entries. Show them.")
