"""The page of errors, told when another run has failed that its filter shows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from django.http import QueryDict

from workflows.filters import FAILED, Criteria, parse
from workflows.live.seldom import NewsSource
from workflows.live.source import Moment
from workflows.selectors.listing import Lister
from workflows.selectors.scope import Viewer
from workflows.storage.sql import Session
from workflows.topics import Topic, viewer_of


def last_failed(session: Session, criteria: Criteria, viewer: Viewer) -> object:
    """The run that failed last of those a filter leaves."""
    wanted = replace(criteria, statuses=FAILED, internal=True, by="completed")
    return [row.pk for row in Lister(session, wanted, viewer, size=1).after(None).rows[:1]]


def _shown(session: Session, topic: Topic, moment: Moment) -> object:
    criteria = parse(QueryDict(topic.filter), now=moment.now_ms)
    return last_failed(session, criteria, viewer_of(topic))


ErrorSource = partial(NewsSource, _shown, "More has failed. Look again.")
