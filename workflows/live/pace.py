"""How often a workflow is read: each tick while it can change, seldom once it has ended."""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.workflows.live.source import Demand, Moment
from dboshub.workflows.selectors.rows import WorkflowRow, rows_by_id
from dboshub.workflows.storage.cancel import chunks
from dboshub.workflows.storage.sql import Session
from dboshub.workflows.storage.watch import MOST_IDS


class Pace:
    """One source's memory of what has ended; it holds no more than is shown."""

    def __init__(self) -> None:
        self._ended: dict[str, float] = {}

    def due(self, demands: Sequence[Demand], moment: Moment) -> list[Demand]:
        """The topics to read now: news may be in any that is unread, unfinished or long unseen."""
        shown = {demand.topic.key for demand in demands}
        self._ended = {key: at for key, at in self._ended.items() if key in shown}
        seldom = moment.timings.terminal
        return [
            demand
            for demand in demands
            if demand.unread
            or moment.at - self._ended.get(demand.topic.key, float("-inf")) >= seldom
        ]

    def rows(
        self, session: Session, demands: Sequence[Demand], moment: Moment
    ) -> dict[str, WorkflowRow]:
        """The rows of these topics' workflows, by id; a tick reads each but once."""
        ids = {demand.topic.key for demand in demands}
        for chunk in chunks([each for each in ids if each not in moment.rows], MOST_IDS):
            found = rows_by_id(session, chunk)
            moment.rows.update((each, found.get(each)) for each in chunk)
        rows: dict[str, WorkflowRow] = {}
        for each in ids:
            row = moment.rows[each]
            if row is not None:
                rows[each] = row
            if row is None or row.is_final:
                self._ended[each] = moment.at
            else:
                self._ended.pop(each, None)
        return rows
