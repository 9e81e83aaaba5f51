"""Lists: how many workflows a page could not have shown yet. The page waits for a click.

Every filter on every page is evaluated in Python over the same newest rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.http import QueryDict

from dboshub.workflows.live.source import Body, PollTick, TopicState, WatchedTopic, digest
from dboshub.workflows.live.subscriptions import SLACK_MS, Topic, viewer_of_topic
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.search.terms import TIME_COLUMNS
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.statuses import IN_FLIGHT
from dboshub.workflows.storage.sql import Session, Statement

# Rows read at once, and workflows counted for one page: beyond, it says "more than".
MOST = 1_000
# Rows created or ended about when a page looked: it may show them, and then does not count them.
MAX_UNCERTAIN = 200

NEWEST = Statement(
    f"SELECT {COLUMNS} FROM {{workflow_status}}"
    " WHERE created_at >= :since ORDER BY created_at DESC LIMIT :most"
)
ENDED, STARTED = (
    Statement(
        f"SELECT {COLUMNS} FROM {{workflow_status}}"
        f" WHERE {column} >= :since ORDER BY {column} DESC LIMIT :most"
    )
    for column in (TIME_COLUMNS["completed"], TIME_COLUMNS["started"])
)


@dataclass(slots=True)
class ListChanges:
    """What one page's list has missed so far."""

    criteria: Criteria
    viewer: Viewer
    since: int
    created: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    uncertain: set[str] = field(default_factory=set)
    is_capped: bool = False
    _matches: Callable[[WorkflowRow], bool] = field(init=False)

    def __post_init__(self) -> None:
        self._matches = self.criteria.matcher()

    @property
    def entry_key(self) -> str:
        """What brings older workflows into the list: ending, where it shows none unfinished."""
        wanted = self.criteria.statuses
        ended = bool(wanted) and not {*wanted} & {*IN_FLIGHT}
        return "completed" if ended and self.criteria.by == "created" else self.criteria.by

    def see(self, row: WorkflowRow, now: int) -> None:
        """Count a row if this list would show it and the page could not."""
        if not self._matches(row) or not self.viewer.may_see(row.application_name):
            return
        if row.created_at >= self.since:
            self._add(self.created, row.workflow_uuid, row.created_at, now)
        elif self.entry_key != "created":
            at = getattr(row, TIME_COLUMNS[self.entry_key]) or 0
            if at >= self.since:
                self._add(self.ended, row.workflow_uuid, at, now)

    def _add(self, counted: set[str], workflow_id: str, at: int, now: int) -> None:
        if len(counted) >= MOST:
            self.is_capped = True
            return
        counted.add(workflow_id)
        # Of a clock that is ahead, the page may show what was made in its future.
        is_uncertain = at < self.since + 2 * SLACK_MS or at > now + SLACK_MS
        if is_uncertain and len(self.uncertain) < MAX_UNCERTAIN:
            self.uncertain.add(workflow_id)

    def facts(self) -> TopicState:
        sizes = len(self.created), len(self.ended), self.is_capped
        body: Body = {
            "new": len(self.created),
            "changed": len(self.ended),
            "capped": self.is_capped,
            "doubtful": sorted(self.uncertain & self.created),
            "doubtful_changed": sorted(self.uncertain & self.ended),
        }
        # Nothing new is what a page shows that was just rendered: its digest is empty.
        name = digest(sizes, sorted(self.uncertain)) if any(sizes) else ""
        return TopicState(digest=name, body=lambda shown: body)


class ListSource:
    """Up to three statements for all lists on all pages."""

    def __init__(self) -> None:
        self._news: dict[Topic, ListChanges] = {}
        self._swept_at = float("-inf")

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        known = self._news
        self._news = {
            watched.topic: known.get(watched.topic) or _news(watched, tick)
            for watched in watched_topics
        }
        rows = self._rows(session, self._since(watched_topics, tick))
        for topic, news in self._news.items():
            for row in rows:
                news.see(row, tick.now_ms)
            news.is_capped = news.is_capped or len(rows) >= 2 * MOST
            yield topic, news.facts()

    def _since(self, watched_topics: Sequence[WatchedTopic], tick: PollTick) -> int:
        """How far back to read. Commits come late, so each tick looks back a little, some more."""
        window = tick.timings.window
        if tick.at - self._swept_at >= tick.timings.sweep:
            self._swept_at = tick.at
            window = tick.timings.sweep_window
        since = tick.now_ms - int(window * 1000)
        return min([since, *(watched.since for watched in watched_topics if watched.unread)])

    def _rows(self, session: Session, since: int) -> list[WorkflowRow]:
        entered = {news.entry_key for news in self._news.values()}
        statements = [NEWEST]
        statements += [ENDED] if "completed" in entered else []
        statements += [STARTED] if "started" in entered else []
        return [
            from_record(record)
            for statement in statements
            for record in session.all(statement, since=since, most=MOST)
        ]


def _news(watched: WatchedTopic, tick: PollTick) -> ListChanges:
    criteria = parse(QueryDict(watched.topic.filter), now=tick.now_ms)
    return ListChanges(criteria, viewer_of_topic(watched.topic), watched.since)
