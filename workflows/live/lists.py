"""Live updates of lists: how many workflows were added to the list since the page was read.

The page shows the number and reloads on a click. All filters of all pages are evaluated in Python
on the same newest rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.http import QueryDict

from dboshub.workflows.live.source import Body, PollTick, TopicState, WatchedTopic, digest
from dboshub.workflows.live.subscriptions import CLOCK_SLACK_MS, Topic, viewer_of_topic
from dboshub.workflows.search.criteria import Criteria, parse
from dboshub.workflows.search.terms import TIME_COLUMNS
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import Viewer
from dboshub.workflows.statuses import IN_FLIGHT
from dboshub.workflows.storage.sql import Session, Statement

# Rows per statement, and workflows counted per page; beyond that the page says "more than".
MAX_ROWS = 1_000
# Rows created or ended near the time when a page was read. The page may show them already, so
# their ids are sent, and the page does not count those that it shows.
MAX_UNCERTAIN = 200

CREATED_SINCE = Statement(
    f"SELECT {COLUMNS} FROM {{workflow_status}}"
    " WHERE created_at >= :since ORDER BY created_at DESC LIMIT :most"
)
ENDED_SINCE, STARTED_SINCE = (
    Statement(
        f"SELECT {COLUMNS} FROM {{workflow_status}}"
        f" WHERE {column} >= :since ORDER BY {column} DESC LIMIT :most"
    )
    for column in (TIME_COLUMNS["completed"], TIME_COLUMNS["started"])
)


@dataclass(slots=True)
class ListChanges:
    """The workflows that were added to one page's list since `since` (epoch ms)."""

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
        """The time key by which older workflows enter the list: "completed" for ended statuses."""
        wanted = self.criteria.statuses
        ended = bool(wanted) and not {*wanted} & {*IN_FLIGHT}
        return "completed" if ended and self.criteria.by == "created" else self.criteria.by

    def see(self, row: WorkflowRow, now: int) -> None:
        """Count a row that belongs to the list and is newer than the page. `now` is epoch ms."""
        if not self._matches(row) or not self.viewer.may_see(row.application_name):
            return
        if row.created_at >= self.since:
            self._add(self.created, row.workflow_uuid, row.created_at, now)
        elif self.entry_key != "created":
            at = getattr(row, TIME_COLUMNS[self.entry_key]) or 0
            if at >= self.since:
                self._add(self.ended, row.workflow_uuid, at, now)

    def _add(self, counted: set[str], workflow_id: str, at: int, now: int) -> None:
        if len(counted) >= MAX_ROWS:
            self.is_capped = True
            return
        counted.add(workflow_id)
        # A row from a clock that is ahead may have been shown before its own time.
        is_uncertain = at < self.since + 2 * CLOCK_SLACK_MS or at > now + CLOCK_SLACK_MS
        if is_uncertain and len(self.uncertain) < MAX_UNCERTAIN:
            self.uncertain.add(workflow_id)

    def state(self) -> TopicState:
        sizes = len(self.created), len(self.ended), self.is_capped
        body: Body = {
            "new": len(self.created),
            "changed": len(self.ended),
            "capped": self.is_capped,
            "doubtful": sorted(self.uncertain & self.created),
            "doubtful_changed": sorted(self.uncertain & self.ended),
        }
        # A page that was just rendered has an empty digest: it misses nothing.
        name = digest(sizes, sorted(self.uncertain)) if any(sizes) else ""
        return TopicState(digest=name, body=lambda shown: body)


class ListSource:
    """Runs at most three statements for all lists on all pages."""

    def __init__(self) -> None:
        self._changes: dict[Topic, ListChanges] = {}
        self._swept_at = float("-inf")

    def poll(
        self, session: Session, watched_topics: Sequence[WatchedTopic], tick: PollTick
    ) -> Iterator[tuple[Topic, TopicState]]:
        known = self._changes
        self._changes = {
            watched.topic: known.get(watched.topic) or _changes_of(watched, tick)
            for watched in watched_topics
        }
        rows = self._rows(session, self._since(watched_topics, tick))
        for topic, changes in self._changes.items():
            for row in rows:
                changes.see(row, tick.now_ms)
            changes.is_capped = changes.is_capped or len(rows) >= 2 * MAX_ROWS
            yield topic, changes.state()

    def _since(self, watched_topics: Sequence[WatchedTopic], tick: PollTick) -> int:
        """The time to read from (epoch ms). A row commits after its timestamp, so each tick reads a
        window again, and a longer one every `timings.sweep` seconds."""
        window = tick.timings.window
        if tick.at - self._swept_at >= tick.timings.sweep:
            self._swept_at = tick.at
            window = tick.timings.sweep_window
        since = tick.now_ms - int(window * 1000)
        return min([since, *(watched.since for watched in watched_topics if watched.unread)])

    def _rows(self, session: Session, since: int) -> list[WorkflowRow]:
        entered = {changes.entry_key for changes in self._changes.values()}
        statements = [CREATED_SINCE]
        statements += [ENDED_SINCE] if "completed" in entered else []
        statements += [STARTED_SINCE] if "started" in entered else []
        return [
            from_record(record)
            for statement in statements
            for record in session.all(statement, since=since, most=MAX_ROWS)
        ]


def _changes_of(watched: WatchedTopic, tick: PollTick) -> ListChanges:
    criteria = parse(QueryDict(watched.topic.filter), now=tick.now_ms)
    return ListChanges(criteria, viewer_of_topic(watched.topic), watched.since)
