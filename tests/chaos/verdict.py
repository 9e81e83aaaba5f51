"""What the ledger and the database have to agree on, whatever happened in between."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dboshub.workflows.storage.database import Database
from tests.chaos import limits
from tests.chaos.accounts import END_OF_STREAM, Account, Row, Step, account
from tests.chaos.ledger import Ledger
from tests.chaos.names import COMPLAINT, QUEUES, SAID

SHOWN = 10
# Each queue is a service, and so are the starts that run where they were asked for.
HERE = "here"
SERVICES = (HERE, *(queue.name for queue in QUEUES))


@dataclass(frozen=True)
class Verdict:
    """What is wrong, and how many seconds after the fault's end each service was back."""

    complaints: list[str]
    back_after: dict[str, float]
    workflows: int

    def assert_holds(self, *, back_within: float | None = None) -> None:
        """Fail with what is wrong; `back_within` seconds is a bound for `make chaos` alone."""
        assert not self.complaints, "\n".join(self.complaints[:SHOWN])
        assert self.workflows
        if back_within is not None:
            late = {name: after for name, after in self.back_after.items() if after > back_within}
            assert not late, f"back too late: {late}"


def judge(ledger: Ledger, database: Database) -> Verdict:
    return judged(account(ledger, database))


def judged(seen: Account) -> Verdict:
    complaints = [
        complaint
        for check in (lost, outcomes, repeated, results, announced, booked, limits.exceeded)
        for complaint in check(seen)
    ]
    return Verdict(complaints, dict(back_after(seen)), len(seen.rows))


def lost(seen: Account) -> Iterator[str]:
    """What was acknowledged is there."""
    for workflow in seen.acknowledged:
        if workflow not in seen.rows:
            yield f"{workflow} was acknowledged and is lost"


def outcomes(seen: Account) -> Iterator[str]:
    """Every workflow, children included, ended as its code says."""
    for row in seen.rows.values():
        if row.name == "failing":
            if row.status != "ERROR" or repr(row.error) != repr(ValueError(COMPLAINT)):
                yield f"{row.id} ended with {row.status}, {row.error!r}"
        elif row.status != "SUCCESS":
            yield f"{row.id} is {row.status}: {row.error!r}"


def repeated(seen: Account) -> Iterator[str]:
    """No step began after it was recorded, and what is recorded was done."""
    for key, step in seen.steps.items():
        recorded = seen.recorded.get(key)
        if recorded is None:
            yield f"step {key} ended without a record"
        elif recorded not in step.tokens:
            yield f"step {key} has a record of what was not done: {recorded}"
        elif not all(run.off_guard for run in step.runs[step.tokens.index(recorded) + 1 :]):
            yield f"step {key} ran again after it was recorded: {_story(step, recorded)}"
    for key in seen.began_again:
        yield f"step {key} began after its value had been given to its workflow"


def _story(step: Step, recorded: str) -> str:
    return ", ".join(
        f"{'recorded' if run.token == recorded else 'run'} by {run.pid} at {run.began:.3f}"
        for run in step.runs
    )


def results(seen: Account) -> Iterator[str]:
    """Each result is made of recorded values, and a message reached its workflow once."""
    known = set(seen.recorded.values())
    for row in seen.rows.values():
        if row.status != "SUCCESS":
            continue
        if not set(row.result["tokens"]) <= known:
            yield f"{row.id} gave a result of steps that are not recorded"
        if row.result.get("heard", row.result["number"]) != row.result["number"]:
            yield f"{row.id} heard {row.result['heard']}"
        if row.number is not None and row.number != row.result["number"]:
            yield f"{row.id} ran with {row.result['number']}"


def announced(seen: Account) -> Iterator[str]:
    """Events and streams hold what was written, each value once and in order."""
    for row in _successes(seen, "announcing"):
        if seen.events.get(row.id) != [row.result["number"]]:
            yield f"{row.id} has events {seen.events.get(row.id)}"
        if seen.streams.get(row.id) != [*SAID, END_OF_STREAM]:
            yield f"{row.id} said {seen.streams.get(row.id)}"


def booked(seen: Account) -> Iterator[str]:
    """A transaction of user code was done once, on Django's connection or on a datasource's."""
    for name, entries in (("booking", seen.books), ("selling", seen.sales)):
        for row in _successes(seen, name):
            if entries.get(row.id) != [row.result["number"]]:
                yield f"{row.id} has the entries {entries.get(row.id)}"


def _successes(seen: Account, name: str) -> Iterable[Row]:
    return [row for row in seen.rows.values() if row.name == name and row.status == "SUCCESS"]


def back_after(seen: Account) -> Iterator[tuple[str, float]]:
    """Seconds from the end of the last fault to the first end of what began after it."""
    if seen.fault_ended is None:
        return
    for service in SERVICES:
        ends = [
            row.completed_at
            for row in seen.rows.values()
            if row.completed_at is not None
            and (row.queue or HERE) == service
            and _began(row, seen) > seen.fault_ended
        ]
        yield service, round(min(ends, default=math.inf) - seen.fault_ended, 3)


def _began(row: Row, seen: Account) -> float:
    """When it was asked for, or when it was claimed; 0 for a child, which its parent began."""
    at = row.started_at if row.queue else seen.asked.get(row.id)
    return at or 0.0
