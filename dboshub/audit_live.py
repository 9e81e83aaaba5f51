"""The audit log, told when there is an entry more that its filter shows."""

from __future__ import annotations

from functools import partial

from django.http import QueryDict

from dboshub import audit_log
from dboshub.workflows.live.seldom import NewsSource
from dboshub.workflows.live.source import Moment
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.topics import Topic


def last_entry(wanted: audit_log.Criteria) -> object:
    """The newest event that a filter leaves."""
    return [event.pk for event in audit_log.page(wanted, size=1).events]


def _shown(session: Session, topic: Topic, moment: Moment) -> object:
    return last_entry(audit_log.criteria(QueryDict(topic.filter), now=moment.now_ms))


AuditSource = partial(NewsSource, _shown, "The log has changed. Show it.")
