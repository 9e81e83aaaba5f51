"""A database that another program filled: each column of each table with all that is hostile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from dboshub.workflows.storage.sql import Session
from tests.fuzz.columns import Table, tables
from tests.fuzz.rows import (
    WHOLE,
    Bad,
    at_random,
    good,
    in_circles,
    insert,
    one_by_one,
    store,
    together,
)
from tests.support.runs import add_event, add_message, add_step, add_stream, add_workflow

GOOD = 5
RANDOM_ROWS = 20
# As many as a test of a database that takes all of them; more are refused only by mistake.
FEWEST_STORED = 2_500


@dataclass(slots=True)
class Filled:
    """What was stored: the hostile rows, and the keys of the good ones by table."""

    bad: list[Bad] = field(default_factory=list)
    good: dict[str, list[str]] = field(default_factory=dict)

    @property
    def values(self) -> int:
        """How many hostile values were stored."""
        return sum(len(each.hostile) for each in self.bad)

    def ids(self) -> list[tuple[str, str]]:
        """The ids of the hostile workflows that are text, and what is hostile in each."""
        rows = (each for each in self.bad if each.table.name == "workflow_status")
        known = ((each.values["workflow_uuid"], each.what) for each in rows)
        return [(workflow_id, what) for workflow_id, what in known if isinstance(workflow_id, str)]


def fill(session: Session, random: Random, *, is_short: bool, only: Iterable[Table] = ()) -> Filled:
    """Store all hostile values among good rows, and rows with several of them.

    There is a row for each, or in the short profile for TOGETHER of them; in all tables that
    programs share, or in `only` these.
    """
    filled = Filled()
    add_whole(session)
    for table in only or tables().values():
        bad = [*in_circles(table)]
        bad += [at_random(table, session.vendor, random) for _ in range(RANDOM_ROWS)]
        if is_short:
            bad += together(table, session.vendor, random)
        else:
            bad += one_by_one(table, session.vendor)
        filled.bad += store(session, bad)
        rows = [good(table) for _ in range(GOOD)]
        assert all(insert(session, table.name, row) for row in rows), table.name
        filled.good[table.name] = [row[table.key] for row in rows]
    return filled


def add_whole(session: Session) -> None:
    """The workflow that all hostile steps, events and the like belong to."""
    add_workflow(session, WHOLE, "ERROR", inputs=1, error=ValueError("no"), attributes='{"a": "b"}')
    add_step(session, WHOLE, 1, "charge", output=1)
    add_step(session, WHOLE, 2, "ship", error=ValueError("no"))
    add_event(session, WHOLE, "progress", 1, 2)
    add_message(session, WHOLE, 1, message_uuid="m-1")
    add_stream(session, WHOLE, "log", 1)
