"""The verdict sees each kind of fault that it is there for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.accounts import (
    END_OF_STREAM,
    OFF_GUARD_S,
    Account,
    Row,
    Run,
    Step,
    steps_of,
)
from tests.chaos.ledger import Fact
from tests.chaos.names import COMPLAINT, SAID
from tests.chaos.verdict import judged

NOON = 1_000.0


def row(workflow: str, name: str, queue: str, number: int, **more: object) -> Row:
    result = {"number": number, "tokens": [f"token-{workflow}"]}
    sound = Row(workflow, name, "SUCCESS", queue, None, NOON, NOON + 1, result, None, number)
    return replace(sound, **more)


def run(workflow: str, pid: int = 1, began: float = NOON, token: str = "") -> Run:
    return Run(token or f"token-{workflow}", pid, began, began + 0.5, off_guard=False)


def sound() -> Account:
    rows = {
        each.id: each
        for each in (
            row("a", "steps", "narrow", 1),
            row("b", "announcing", "narrow", 2),
            row("c", "booking", "rated", 3),
            row("d", "listening", "apiece", 4),
            row("e", "failing", "keyed", 5, status="ERROR", error=ValueError(COMPLAINT)),
            row("f", "steps", "keyed", 6, partition="1"),
            row("g", "selling", "rated", 7),
        )
    }
    rows["d"].result["heard"] = 4
    return Account(
        acknowledged={each.id: each.number or 0 for each in rows.values()},
        asked=dict.fromkeys(rows, NOON),
        steps={(each, 1): Step([run(each)]) for each in rows},
        began_again=[],
        fault_ended=None,
        rows=rows,
        recorded={(each, 1): f"token-{each}" for each in rows},
        events={"b": [2]},
        streams={"b": [*SAID, END_OF_STREAM]},
        books={"c": [3]},
        sales={"g": [7]},
    )


def lose(seen: Account) -> None:
    del seen.rows["a"], seen.steps["a", 1]


def change(workflow: str, **fields: object) -> Callable[[Account], None]:
    def change(seen: Account) -> None:
        seen.rows[workflow] = replace(seen.rows[workflow], **fields)

    return change


def run_again(seen: Account) -> None:
    seen.steps["a", 1].runs.append(run("a", began=NOON + 1, token="another"))


def forget_the_record(seen: Account) -> None:
    del seen.recorded["a", 1]


def record_another(seen: Account) -> None:
    seen.recorded["a", 1] = "another"


def begin_again(seen: Account) -> None:
    seen.began_again.append(("a", 1))


def hear_nothing(seen: Account) -> None:
    seen.rows["d"].result["heard"] = None


def say_twice(seen: Account) -> None:
    seen.streams["b"].insert(0, SAID[0])


def book_twice(seen: Account) -> None:
    seen.books["c"].append(3)


def sell_nothing(seen: Account) -> None:
    del seen.sales["g"]


def drop_the_event(seen: Account) -> None:
    del seen.events["b"]


def start_too_many_at_once(queue: str, how_many: int, *, spread: bool) -> Callable[[Account], None]:
    """More workflows of a queue, in one process each if they are spread, in the same partition."""

    def start(seen: Account) -> None:
        for number in range(how_many):
            workflow = f"more-{number}"
            seen.rows[workflow] = row(workflow, "steps", queue, number, partition="1")
            seen.steps[workflow, 1] = Step([run(workflow, pid=number if spread else 1)])
            seen.recorded[workflow, 1] = f"token-{workflow}"

    return start


def test_a_sound_account_gives_no_complaint() -> None:
    assert judged(sound()).complaints == []


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lose, "a was acknowledged and is lost"),
        (change("a", status="PENDING"), "a is PENDING"),
        (change("a", status="ERROR", error=OSError("disk")), "a is ERROR: OSError('disk')"),
        (change("e", error=ValueError("another")), "e ended with ERROR"),
        (run_again, "ran again after it was recorded"),
        (begin_again, "began after its value had been given"),
        (forget_the_record, "ended without a record"),
        (record_another, "a record of what was not done"),
        (change("a", result={"number": 1, "tokens": ["x"]}), "of steps that are not recorded"),
        (change("a", number=7), "a ran with 1"),
        (hear_nothing, "d heard None"),
        (say_twice, "b said"),
        (drop_the_event, "b has events"),
        (book_twice, "c has the entries [3, 3]"),
        (sell_nothing, "g has the entries None"),
        (start_too_many_at_once("narrow", 1, spread=True), "narrow (all) ran"),
        (start_too_many_at_once("apiece", 1, spread=False), "apiece (1) ran"),
        (start_too_many_at_once("keyed", 1, spread=True), "keyed (1) ran"),
        (start_too_many_at_once("rated", 5, spread=True), "rated: more than 5 starts"),
    ],
)
def test_what_is_wrong_is_said(spoil: Callable[[Account], None], complaint: str) -> None:
    seen = sound()
    spoil(seen)
    assert complaint in "\n".join(judged(seen).complaints)


def test_a_process_that_was_stopped_may_begin_a_step_when_it_goes_on() -> None:
    seen = sound()
    again = replace(run("a", began=NOON + 1, token="another"), off_guard=True)
    seen.steps["a", 1].runs.append(again)
    assert judged(seen).complaints == []


def test_a_service_is_back_when_something_began_and_ended_after_the_fault() -> None:
    seen = sound()
    seen.fault_ended = NOON - 1
    back = judged(seen).back_after
    assert back["narrow"] == 2.0
    assert back["plain"] == float("inf")  # nothing was served
    with pytest.raises(AssertionError, match="plain"):
        judged(seen).assert_holds(back_within=5)


def facts(*lines: tuple[str, int, float, str]) -> list[Fact]:
    """Facts of one step of one workflow: what, pid, when, token."""
    details = {"workflow": "a", "step": 1}
    return [Fact(what, pid, at, {**details, "token": token}) for what, pid, at, token in lines]


def test_a_step_that_begins_after_its_value_was_given_is_noticed() -> None:
    noted = facts(("began", 1, 0, "x"), ("ended", 1, 1, "x"), ("recorded", 1, 2, "x"))
    steps, began_again = steps_of(noted)
    assert steps["a", 1].runs == [Run("x", 1, 0, 1, off_guard=False)]
    assert began_again == []
    _, began_again = steps_of([*noted, *facts(("began", 2, 3, "y"))])
    assert began_again == [("a", 1)]


def test_a_run_that_was_cut_off_has_no_end() -> None:
    stopped, killed = steps_of(
        facts(
            ("began", 1, 0, "x"),
            ("stopped", 1, 1, ""),
            ("continues", 1, 5, ""),
            ("ended", 1, 6, "x"),
            ("began", 2, 7, "y"),
        )
    )[0]["a", 1].runs
    assert stopped.until is killed.until is None


def test_only_the_moment_after_a_stop_is_forgiven() -> None:
    at = 5 + OFF_GUARD_S
    runs = steps_of(
        facts(
            ("stopped", 1, 1, ""),
            ("continues", 1, 5, ""),
            ("began", 1, 5.01, "x"),
            ("began", 2, 5.01, "y"),
            ("began", 1, at, "z"),
        )
    )[0]["a", 1].runs
    assert [run.off_guard for run in runs] == [True, False, False]
