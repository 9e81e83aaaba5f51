"""The ledger and the database, read into one account after everything has ended."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from dboshub.workflows.engine.serialization import DefaultSerializer
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Session, Statement
from tests.chaos.ledger import Fact, Ledger

ROWS = Statement(
    """
    SELECT w.workflow_uuid, w.name, w.status, w.queue_name, w.queue_partition_key,
        w.started_at_epoch_ms, w.completed_at, coalesce(o.output, w.output),
        coalesce(o.error, w.error)
    FROM {workflow_status} AS w
    LEFT JOIN {workflow_output} AS o ON o.workflow_uuid = w.workflow_uuid
    """
)
STEPS = Statement(
    """
    SELECT workflow_uuid, function_id, output
    FROM {operation_outputs}
    WHERE output IS NOT NULL AND (
        function_name LIKE '%effect%'
        OR function_name LIKE '%enter%'
        OR function_name LIKE '%sell%'
    )
    """
)
EVENTS = Statement("SELECT workflow_uuid, value FROM {workflow_events}")
STREAMS = Statement('SELECT workflow_uuid, value FROM {streams} ORDER BY workflow_uuid, "offset"')
BOOKS = Statement("SELECT workflow, number FROM chaos_books")
SALES = Statement("SELECT workflow, number FROM chaos_sales")

# A process that was stopped between the check of its ownership and the body of a step begins that
# step when it goes on, which no lease can prevent. Seconds in which it is forgiven.
OFF_GUARD_S = 0.5

# The last value of a closed stream, as every DBOS library stores it.
END_OF_STREAM = '"__DBOS_STREAM_CLOSED__"'

StepKey = tuple[str, int]


@dataclass(frozen=True)
class Row:
    """A workflow as the database has it; times are seconds of the epoch."""

    id: str
    name: str
    status: str
    queue: str | None
    partition: str | None
    started_at: float | None
    completed_at: float | None
    result: Any
    error: Any
    number: int | None


@dataclass(frozen=True)
class Run:
    """One execution of a step. `until` is None if it was stopped, killed or cut off."""

    token: str
    pid: int
    began: float
    until: float | None
    off_guard: bool


@dataclass
class Step:
    runs: list[Run] = field(default_factory=list)

    @property
    def tokens(self) -> list[str]:
        return [run.token for run in self.runs]


@dataclass
class Account:
    acknowledged: dict[str, int]
    asked: dict[str, float]
    steps: dict[StepKey, Step]
    began_again: list[StepKey]
    fault_ended: float | None
    rows: dict[str, Row]
    recorded: dict[StepKey, str]
    events: dict[str, list[Any]]
    streams: dict[str, list[Any]]
    books: dict[str, list[int]]
    sales: dict[str, list[int]]


def account(ledger: Ledger, database: Database) -> Account:
    facts = [*ledger.facts()]
    acknowledged = {
        fact["workflow"]: fact["number"] for fact in facts if fact.what == "acknowledged"
    }
    steps, began_again = steps_of(facts)
    with database.reading() as session:
        return Account(
            acknowledged=acknowledged,
            # For the first time: a load that was started again asks again.
            asked={fact["workflow"]: fact.at for fact in facts[::-1] if fact.what == "asked"},
            steps=steps,
            began_again=began_again,
            fault_ended=max((fact.at for fact in facts if fact.what == "fault ends"), default=None),
            rows=_rows(session, acknowledged),
            recorded={(row[0], row[1]): _decoded(row[2]) for row in session.all(STEPS)},
            events=_by_workflow(session, EVENTS),
            streams=_by_workflow(session, STREAMS),
            books=_grouped(session.all(BOOKS)),
            sales=_grouped(session.all(SALES)),
        )


def steps_of(facts: list[Fact]) -> tuple[dict[StepKey, Step], list[StepKey]]:
    """Every execution of every step, and the steps that began after they had been recorded."""
    ended = {fact["token"]: fact.at for fact in facts if fact.what == "ended"}
    pauses = _pauses(facts)
    steps: dict[StepKey, Step] = defaultdict(Step)
    keys: dict[str, StepKey] = {}
    recorded: set[StepKey] = set()
    began_again: list[StepKey] = []
    for fact in facts:
        if fact.what == "recorded":
            recorded.add(keys[fact["token"]])
        if fact.what != "began":
            continue
        key = keys[fact["token"]] = (fact["workflow"], fact["step"])
        until = ended.get(fact["token"])
        if any(pid == fact.pid and fact.at < at <= (until or at) for pid, at, _ in pauses):
            until = None
        run = Run(fact["token"], fact.pid, fact.at, until, _was_off_guard(fact, pauses))
        steps[key].runs.append(run)
        if key in recorded and not run.off_guard:
            began_again.append(key)
    return dict(steps), began_again


def _pauses(facts: list[Fact]) -> list[tuple[int, float, float]]:
    """Processes that were stopped: pid, when, and when they went on."""
    begun: dict[int, float] = {}
    pauses: list[tuple[int, float, float]] = []
    for fact in facts:
        if fact.what == "stopped":
            begun[fact.pid] = fact.at
        elif fact.what == "continues":
            pauses.append((fact.pid, begun[fact.pid], fact.at))
    return pauses


def _was_off_guard(fact: Fact, pauses: list[tuple[int, float, float]]) -> bool:
    return any(pid == fact.pid and 0 <= fact.at - on < OFF_GUARD_S for pid, _, on in pauses)


def _rows(session: Session, numbers: dict[str, int]) -> dict[str, Row]:
    return {
        row[0]: Row(
            *row[:5],
            _seconds(row[5]),
            _seconds(row[6]),
            _decoded(row[7]),
            _decoded(row[8]),
            numbers.get(row[0]),
        )
        for row in session.all(ROWS)
    }


def _by_workflow(session: Session, statement: Statement) -> dict[str, list[Any]]:
    return _grouped([(workflow, _decoded(value)) for workflow, value in session.all(statement)])


def _grouped(pairs: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)


def _decoded(text: str | None) -> Any:
    return text if text in (None, END_OF_STREAM) else DefaultSerializer().deserialize(text)


def _seconds(epoch_ms: int | None) -> float | None:
    return None if epoch_ms is None else epoch_ms / 1000
