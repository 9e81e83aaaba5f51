"""The steps of two runs in pairs, where they diverge, and the last good run of a name."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from dboshub.workflows.selectors.comparison import step_pairs
from dboshub.workflows.selectors.comparison.alignment import align
from dboshub.workflows.selectors.comparison.last_good import last_good
from dboshub.workflows.selectors.comparison.step_pairs import (
    CHUNK,
    MAX_ROUNDS,
    WINDOW,
    Divergence,
    Place,
    StepPair,
    first_divergence,
    page,
)
from dboshub.workflows.selectors.rows import WorkflowRow, row
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.schema.migrate import migrate
from dboshub.workflows.storage.sql import Cursor, Session
from tests.support.runs import T0, add_step, add_workflow

MANY = """
INSERT INTO {operation_outputs}
    (workflow_uuid, function_id, function_name, started_at_epoch_ms, completed_at_epoch_ms, output)
SELECT id, n, CASE WHEN id = 'b' AND n = 60001 THEN 'other' ELSE 'poll' END, n, n + 1, 'x'
FROM generate_series(1, 100000) AS n CROSS JOIN (VALUES ('a'), ('b')) AS ids(id);
ANALYZE {operation_outputs};
"""


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    with database.writing() as writing:
        yield writing


def add_run(session: Session, workflow_id: str, names: str, failed: int | None = None) -> None:
    """A run whose steps have these names of one letter."""
    add_workflow(session, workflow_id)
    for number, name in enumerate(names, start=1):
        add_step(
            session, workflow_id, number, name, error=ValueError() if number == failed else None
        )


def written(pairs: list[StepPair]) -> str:
    """`=` for a pair, `<` and `>` for a step of one side, each with its name."""
    signs = {(True, True): "=", (True, False): "<", (False, True): ">"}
    return "".join(
        signs[pair.left is not None, pair.right is not None] + pair.step.name for pair in pairs
    )


def all_pages(session: Session, left: str, right: str) -> list[StepPair]:
    found: list[StepPair] = []
    place: Place | None = Place()
    while place is not None:
        shown = page(session, left, right, place)
        found += shown.pairs
        assert shown.next != place
        place = shown.next
    return found


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("", "", ""),
        ("abc", "abc", "=a=b=c"),
        ("abc", "ac", "=a<b=c"),
        ("ac", "abc", "=a>b=c"),
        ("abd", "acd", "=a<b>c=d"),
        ("xabc", "abc", "<x=a=b=c"),
        ("aab", "ab", "=a<a=b"),
        ("abc", "xyz", "<a<b<c>x>y>z"),
    ],
)
def test_steps_are_aligned_by_name_and_order(
    session: Session, left: str, right: str, expected: str
) -> None:
    add_run(session, "a", left)
    add_run(session, "b", right)
    assert written(all_pages(session, "a", "b")) == expected


def test_an_alignment_is_as_long_as_any() -> None:
    def longest(left: str, right: str) -> int:
        if not left or not right:
            return 0
        if left[0] == right[0]:
            return 1 + longest(left[1:], right[1:])
        return max(longest(left[1:], right), longest(left, right[1:]))

    chosen = random.Random(7)
    for _ in range(200):
        left, right = ("".join(chosen.choices("abc", k=chosen.randrange(8))) for _ in range(2))
        pairs = align(left, right)
        assert [at for at, _ in pairs if at is not None] == [*range(len(left))]
        assert [at for _, at in pairs if at is not None] == [*range(len(right))]
        matched = [(one, other) for one, other in pairs if one is not None and other is not None]
        assert all(left[one] == right[other] for one, other in matched)
        assert len(matched) == longest(left, right)


def test_pages_hold_every_step_of_both_once_and_in_order(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_pairs, "WINDOW", 5)
    chosen = random.Random(11)
    for at in range(12):
        left, right = ("".join(chosen.choices("abcd", k=chosen.randrange(40))) for _ in range(2))
        add_run(session, f"a{at}", left)
        add_run(session, f"b{at}", right)
        pairs = all_pages(session, f"a{at}", f"b{at}")
        assert "".join(pair.left.name for pair in pairs if pair.left) == left
        assert "".join(pair.right.name for pair in pairs if pair.right) == right


def test_a_long_loop_of_one_side_does_not_part_what_follows(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_pairs, "WINDOW", 5)
    add_run(session, "a", "p" * 40 + "xyz")
    add_run(session, "b", "ppxyz")
    assert written(all_pages(session, "a", "b")) == "=p=p" + "<p" * 38 + "=x=y=z"


@pytest.mark.parametrize(
    ("left", "right", "failed", "expected"),
    [
        ("abc", "abc", None, Divergence(None)),
        ("", "", None, Divergence(None)),
        ("abc", "abx", None, Divergence(Place(3, 3))),
        ("abc", "ab", None, Divergence(Place(3, 3))),
        ("ab", "abc", None, Divergence(Place(3, 3))),
        ("abc", "abc", 2, Divergence(Place(2, 2))),
    ],
)
def test_the_first_divergence_is_in_name_or_outcome(
    session: Session, left: str, right: str, failed: int | None, expected: Divergence
) -> None:
    add_run(session, "a", left, failed)
    add_run(session, "b", right)
    assert first_divergence(session, "a", "b", Place()) == expected


def test_behind_a_divergence_places_are_counted_from_there(session: Session) -> None:
    add_run(session, "a", "axbcd")
    add_run(session, "b", "abcz")
    assert first_divergence(session, "a", "b", Place(3, 2)).at == Place(5, 4)


def test_the_search_stops_after_its_time_and_says_where(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_pairs, "CHUNK", 4)
    add_run(session, "a", "a" * 11)
    add_run(session, "b", "a" * 10 + "b")
    found = first_divergence(session, "a", "b", Place(), budget_s=0)
    assert found == Divergence(None, Place(4, 4))
    assert first_divergence(session, "a", "b", Place(), budget_s=60).at == Place(11, 11)


def good(session: Session, workflow_id: str, viewer: Viewer = EVERYTHING) -> str | None:
    found = last_good(session, the(session, workflow_id), viewer)
    assert found.searched_to is None
    return found.row and found.row.pk


def the(session: Session, workflow_id: str) -> WorkflowRow:
    found = row(session, workflow_id)
    assert found is not None
    return found


def test_the_last_good_run_is_the_newest_success_before_of_the_same_name(session: Session) -> None:
    def add(workflow_id: str, status: str, at: int, **columns: Any) -> None:
        add_workflow(session, workflow_id, status, created_at=T0 + at, **columns)

    add("first", "ERROR", 0)
    assert good(session, "first") is None
    add("old", "SUCCESS", 10)
    add("good", "SUCCESS", 20)
    add("other name", "SUCCESS", 25, name="report")
    add("other application", "SUCCESS", 26, application_name="bank")
    add("failed", "ERROR", 27)
    add("bad", "ERROR", 30)
    add("later", "SUCCESS", 40)
    assert good(session, "bad") == "good"
    assert good(session, "good") == "old"
    # Before the first one there is none, so it is the newest of all.
    assert good(session, "first") == "later"
    assert good(session, "other name") is None
    assert good(session, "bad", Viewer(frozenset({"bank"}), unclaimed=False)) is None
    for name in ("*", "!x", "-", "=", "a*"):
        add(f"odd {name}", "SUCCESS", 50, name=name)
        add(f"bad {name}", "ERROR", 60, name=name)
        assert good(session, f"bad {name}") == f"odd {name}"


@pytest.fixture(scope="module")
def long_runs(postgres_server: Any) -> Iterator[Database]:
    with postgres_server.fresh_database() as url:
        database = open_database(url)
        migrate(database)
        with database.connect_raw() as raw:
            raw.execute(database.dialect.compile(MANY).replace("%%", "%").encode())
        yield database
        database.close()


def rows_examined(node: dict[str, Any]) -> int:
    own = 0
    if node.get("Relation Name") == "operation_outputs":
        removed = node.get("Rows Removed by Filter", 0)
        own = round((node["Actual Rows"] + removed) * node["Actual Loops"])
    return own + sum(rows_examined(child) for child in node.get("Plans", ()))


def explained(session: Session, costs: list[int]) -> Session:
    def execute(text: str, params: dict[str, Any]) -> Cursor:
        found = session._execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", params).fetchone()[0]
        tree = found if isinstance(found, list) else json.loads(found)
        costs.append(rows_examined(tree[0]["Plan"]))
        return session._execute(text, params)

    return Session(session.dialect, execute, session._script)


def test_two_runs_of_a_hundred_thousand_steps_are_read_in_bounded_pages(
    long_runs: Database,
) -> None:
    with long_runs.reading() as session:
        costs: list[int] = []
        shown = page(explained(session, costs), "a", "b", Place(50_000, 50_000))
        assert len(shown.pairs) == WINDOW
        assert sum(costs) <= 2 * (WINDOW + 1) * MAX_ROUNDS
        costs.clear()
        found = first_divergence(explained(session, costs), "a", "b", Place(), budget_s=60)
        assert found.at == Place(60_001, 60_001)
        assert max(costs) <= 2 * CHUNK
        assert len(costs) == 7
