"""The steps of all workflows in a span: all of them or an even sample, at a bounded cost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.workflows.page_cache import page_cache
from dboshub.workflows.selectors import step_sample as module
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.selectors.step_sample import (
    MAX_STEPS,
    PARTS,
    SPANS,
    StepSample,
    step_sample,
)
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.id_lists import MAX_IDS
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Cursor, Session
from tests.support.runs import T0, add_step, add_workflow

HOUR = SPANS["1h"]
# Many steps from fifty minutes ago to in ten minutes, as many at one moment, and more before: the
# test may be late.
MANY = """
INSERT INTO {workflow_status} (workflow_uuid, status, name, created_at, updated_at, request)
SELECT 'w' || n, 'SUCCESS', 'checkout', 0, 0, repeat('x', 400) FROM generate_series(1, 200000) AS n;
INSERT INTO {operation_outputs}
    (workflow_uuid, function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms)
SELECT 'w' || n, 1, 'charge', 0,
    (extract(epoch FROM now()) * 1000)::bigint
        - CASE WHEN n % 4 = 0 THEN 1800000 WHEN n % 4 = 1 THEN n * 18 - 600000 ELSE 10000000 + n END
FROM generate_series(1, 200000) AS n;
ANALYZE {workflow_status};
ANALYZE {operation_outputs};
"""


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    page_cache().clear()
    with database.writing() as writing:
        yield writing


def add(session: Session, workflow_id: str, name: str, ago: int, **columns: Any) -> None:
    """A step that ended so many ms ago and took 100 ms."""
    end = database_now(session) - ago - T0
    add_step(session, workflow_id, next(NUMBERS), name, end - 100, end, **columns)


NUMBERS = iter(range(1, 10_000))


def read(session: Session, viewer: Viewer = EVERYTHING, span: int = HOUR) -> StepSample:
    page_cache().clear()
    return step_sample(session, viewer, span)


def test_all_steps_of_the_span_are_read_with_their_workflow(session: Session) -> None:
    add_workflow(session, "w")
    add(session, "w", "charge", 1_000)
    add(session, "w", "ship", 1_800_000, error=ValueError())
    add(session, "w", "old", HOUR + 60_000)
    add(session, "w", "future", -60_000)
    found = read(session)
    assert found.is_whole
    assert [(step.name, step.workflow, step.version, step.is_failed) for step in found.steps] == [
        ("ship", "checkout", "v1", True),
        ("charge", "checkout", "v1", False),
    ]
    assert [step.duration_ms for step in found.steps] == [100, 100]
    assert found.steps[0].part in (PARTS // 2 - 1, PARTS // 2)
    assert found.steps[1].part == PARTS - 1
    assert {step.name for step in read(session, span=SPANS["24h"]).steps} == {
        "ship",
        "charge",
        "old",
    }


def test_timers_and_starts_of_children_are_left_out_and_deleted_workflows_counted(
    session: Session,
) -> None:
    add_workflow(session, "w")
    add(session, "w", "DBOS.sleep", 1_000)
    add(session, "w", "begin", 1_000, child="c")
    add(session, "w", "DBOS.getResult", 1_000, child="c")
    add(session, "gone", "charge", 1_000)
    found = read(session)
    assert [step.name for step in found.steps] == ["DBOS.getResult"]
    assert found.deleted == 1


def test_the_steps_of_other_applications_do_not_exist(session: Session) -> None:
    for application in ("shop", "bank", None):
        add_workflow(session, f"of {application}", application_name=application)
        add(session, f"of {application}", f"step of {application}", 1_000)
    add(session, "gone", "charge", 1_000)
    bank = read(session, Viewer(frozenset({"bank"}), unclaimed=False))
    assert [step.name for step in bank.steps] == ["step of bank"]
    assert bank.deleted == 0
    mine = read(session, Viewer(frozenset({"shop"}), unclaimed=True))
    assert {step.name for step in mine.steps} == {"step of shop", "step of None"}


def test_what_some_parts_leave_the_others_get(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PER_PART", 3)
    monkeypatch.setattr(module, "MAX_STEPS", 14)
    add_workflow(session, "w")
    for part, number in enumerate((9, 2, 9)):
        for at in range(number):
            add(session, "w", "charge", part * HOUR // PARTS + 40_000 + at)
    found = read(session)
    assert not found.is_whole
    assert Counter(step.part for step in found.steps) == {
        PARTS - 1: 6,
        PARTS - 2: 2,
        PARTS - 3: 6,
    }
    monkeypatch.setattr(module, "MAX_STEPS", 30)
    assert read(session).is_whole
    monkeypatch.setattr(module, "MAX_STEPS", 8)
    assert not read(session).is_whole
    assert len(read(session).steps) == 8


def test_one_sample_serves_a_scope_for_a_while(session: Session) -> None:
    add_workflow(session, "w")
    add(session, "w", "charge", 1_000)
    first = read(session)
    add(session, "w", "ship", 1_000)
    assert step_sample(session, EVERYTHING, HOUR) == first
    other = Viewer(frozenset({"shop"}), unclaimed=False)
    assert len(step_sample(session, other, HOUR).steps) == 2


@pytest.fixture(scope="module")
def crowded(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        database = open_database(url)
        migrate(database)
        with database.connect_raw() as raw:
            raw.execute(database.dialect.compile(MANY).replace("%%", "%").encode())
        yield database
        database.close()


def rows_examined(node: dict[str, Any]) -> int:
    own = 0
    if "Relation Name" in node:
        removed = node.get("Rows Removed by Filter", 0)
        own = round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return own + sum(rows_examined(child) for child in node.get("Plans", ()))


def test_a_sample_costs_twenty_thousand_rows_however_many_there_are(crowded: Database) -> None:
    page_cache().clear()
    costs: list[int] = []
    with crowded.reading() as session:

        def execute(text: str, params: dict[str, Any]) -> Cursor:
            found = session._execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", params)
            [tree] = found.fetchone()
            plan = tree if isinstance(tree, list) else json.loads(tree)
            costs.append(rows_examined(plan[0]["Plan"]))
            return session._execute(text, params)

        spied = Session(session.dialect, execute, session._script)
        sample = step_sample(spied, EVERYTHING, HOUR)
    most = MAX_STEPS
    assert not sample.is_whole
    # Very many steps ended at one moment, and yet all these parts have their share.
    assert len({step.part for step in sample.steps}) >= PARTS * 3 // 4
    assert len(sample.steps) <= most
    # A part that the planner expects to be small is read whole, and sorted.
    assert sum(costs) <= 20_000, costs
    assert len(costs) <= 3 + most // MAX_IDS


def test_sqlite_reads_each_part_along_the_index(sqlite_url: str) -> None:
    page_cache().clear()
    database = open_database(sqlite_url)
    migrate(database)
    notes: list[str] = []
    with database.reading() as session:

        def execute(text: str, params: dict[str, Any]) -> Cursor:
            if "operation_outputs" in text:
                plan = session._execute(f"EXPLAIN QUERY PLAN {text}", params)
                notes.extend(row[3] for row in plan.fetchall())
            return session._execute(text, params)

        step_sample(Session(session.dialect, execute, session._script), EVERYTHING, HOUR)
    database.close()
    reads = [note for note in notes if "operation_outputs" in note]
    assert len(reads) == PARTS
    assert all("idx_operation_outputs_completed_at_function_name_v2" in note for note in reads)
    assert not any("TEMP B-TREE" in note for note in notes)
