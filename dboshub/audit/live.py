"""Live updates of the audit log: a notice when there is a new entry of its filter."""

from __future__ import annotations

from functools import partial

from django.http import QueryDict

from dboshub.audit import selectors
from dboshub.workflows.live.polling import NoticeSource
from dboshub.workflows.live.source import PollTick
from dboshub.workflows.live.subscriptions import Topic
from dboshub.workflows.storage.sql import Session


def last_entry(wanted: selectors.Criteria) -> object:
    """The value whose change updates the page: the newest event of a filter."""
    return [event.pk for event in selectors.page(wanted, size=1).events]


def _shown(session: Session, topic: Topic, tick: PollTick) -> object:
    return last_entry(selectors.criteria(QueryDict(topic.filter), now=tick.now_ms))


AuditSource = partial(NoticeSource, _shown, "There are new entries. Show them.")
