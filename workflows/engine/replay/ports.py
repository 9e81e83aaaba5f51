"""The storage of a replay: there is none. Whatever asks for a database is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, cast

from dboshub.workflows.engine.clock import Clock, DatabaseClock
from dboshub.workflows.engine.context import workflow_frame
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.journal.writes import DONE, Answer, OutcomeWrite, Write
from dboshub.workflows.engine.ports import Storage, Store, TransactionOptions
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.replay.records import Kind, RecordedRun, RunReport
from dboshub.workflows.engine.runtime.branch_record import SLEEP
from dboshub.workflows.engine.runtime.effects import Query
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.step_results import replay_or_run


class NotRecordedError(DBOSException):
    """A body asks for the database outside of a step: no record holds the answer."""

    def __init__(self, what: str) -> None:
        super().__init__(f"a replay has no database to ask: {what} is called outside of a step")
        self.args = (what,)


class NoStore:
    """A store that has nothing: ``ReplayEngine`` asks it for nothing either."""

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(*_: object, **__: object) -> NoReturn:
            raise NotRecordedError(name)

        return refuse


class OutcomeOnly:
    """A connection of the journal that keeps an outcome in memory, and refuses all else."""

    def __init__(self) -> None:
        self.outcome: OutcomeWrite | None = None

    def apply(self, writes: Sequence[Write], *, now: int) -> list[Answer]:
        return [self.apply_isolated(each, now=now) for each in writes]

    def apply_isolated(self, write: Write, *, now: int) -> Answer:
        if not isinstance(write, OutcomeWrite):
            raise NotRecordedError(type(write).__name__)
        self.outcome = write
        return DONE

    def largest(self, writes: Sequence[Write]) -> int:
        return 0

    def close(self) -> None:
        pass


class RecordedTransactions:
    """The application's database: its transactions are steps, whose results are recorded."""

    def step(
        self,
        options: TransactionOptions,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Program[Any]:
        execution = workflow_frame("DBOS.transaction").execution
        return replay_or_run(execution, execution.next_id(), options.name, _never())

    def run_without_step(self, isolation_level: str | None, call: Callable[[], Any]) -> Any:
        raise NotRecordedError("a transaction")

    def close(self) -> None:
        pass


class ClockAfter:
    """A clock for which every wait that a run recorded is over."""

    def __init__(self, run: RecordedRun) -> None:
        self._clock: Clock = DatabaseClock()
        ends = (each.completed_at or 0 for each in run.steps if each.name == SLEEP)
        self._earliest = max(ends, default=0) + 1

    def now_ms(self) -> int:
        return max(self._clock.now_ms(), self._earliest)

    def monotonic(self) -> float:
        return self._clock.monotonic()


class ReplayEngine(Engine):
    """An engine that refuses every query and change, whatever table it is of."""

    report: RunReport

    def query(self, ask: Callable[[], Any], *, insists: bool = True) -> Query:
        return cast(Query, _Refused(self.report))


class _Refused:
    """The effect of a query: it is noted, and raises."""

    def __init__(self, report: RunReport) -> None:
        self._report = report

    def block(self) -> NoReturn:
        self._report.differs(Kind.UNRECORDED, "the body asks the database outside of a step")
        raise NotRecordedError("a query")

    async def wait(self) -> NoReturn:
        self.block()


def storage_without_database(outcome: OutcomeOnly) -> Storage:
    """Storage that records an outcome in memory, and nothing else."""
    return Storage(cast(Store, NoStore()), lambda: outcome, isolated_connections=0)


def _never() -> Program[Outcome]:
    yield from ()
    raise AssertionError("a replay runs no transaction")
