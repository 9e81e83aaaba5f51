"""Replay a recorded run: the body runs by the path of a recovery, against its record alone.

No step runs, no child starts, nothing is sent, and no database is touched. The code between the
steps does run.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import (
    DBOSException,
    DBOSRecoveryError,
    DBOSWorkflowFunctionNotFoundError,
)
from dboshub.workflows.engine.ports import EngineHooks
from dboshub.workflows.engine.programs import Program, run, run_async
from dboshub.workflows.engine.registration.registry import Registry, Target, validator_of
from dboshub.workflows.engine.replay.execution import ReplayedExecution
from dboshub.workflows.engine.replay.history import EndOfRecord
from dboshub.workflows.engine.replay.judging import judge
from dboshub.workflows.engine.replay.ports import (
    ClockAfter,
    OutcomeOnly,
    RecordedTransactions,
    ReplayEngine,
    storage_without_database,
)
from dboshub.workflows.engine.replay.quiet_loop import QuietLoop
from dboshub.workflows.engine.replay.records import Kind, RecordedRun, RunReport
from dboshub.workflows.engine.runtime.claimed import claimed_arguments, claimed_execution
from dboshub.workflows.engine.runtime.engine import Engine, ExecutorSettings
from dboshub.workflows.engine.runtime.running import execute
from dboshub.workflows.engine.serialization import Codec, UnknownFormatError

LIMIT_S = 30.0  # for one body, which waits for nothing


def replay(
    recorded: RecordedRun, registry: Registry, codec: Codec, *, limit_s: float = LIMIT_S
) -> RunReport:
    """Run the body of a recorded workflow against its record.

    A body that neither ends nor reaches the end of its record in `limit_s` seconds is reported as
    stuck. Raises DBOSException in a process that has launched an engine.
    """
    if current_engine.is_launched():
        raise DBOSException("a replay needs a process of its own: this one has launched DBOS")
    claimed = recorded.claimed
    report = RunReport(
        workflow_id=claimed.workflow_id,
        name=claimed.name,
        status=recorded.outcome.status,
        recorded=len(recorded.steps),
    )
    outcome = OutcomeOnly()
    engine = _engine(recorded, registry, codec, report, outcome)
    with _installed(engine):
        prepared = _prepared(engine, recorded, report)
        if prepared is None:
            return report
        execution, target, body = prepared
        if not _ends(execution, target, body, limit_s):
            execution.close()
            text = f"the body neither ends nor calls a step within {limit_s:g} s"
            report.differs(Kind.STUCK, text)
            return report
        execution.close()
        judge(recorded, report, outcome.outcome, execution.left or (), codec)
    return report


def _engine(
    recorded: RecordedRun,
    registry: Registry,
    codec: Codec,
    report: RunReport,
    outcome: OutcomeOnly,
) -> Engine:
    claimed = recorded.claimed
    engine = ReplayEngine(
        ExecutorSettings(
            application_name=claimed.application_name or "",
            application_version=claimed.application_version or "",
            executor_id="replay",
        ),
        registry=registry,
        clock=ClockAfter(recorded),
        storage=storage_without_database(outcome),
        codec=codec,
        hooks=EngineHooks(application=RecordedTransactions()),
    )
    engine.report = report
    return engine


@contextmanager
def _installed(engine: Engine) -> Iterator[None]:
    current_engine.install(engine)
    try:
        yield
    finally:
        current_engine.install(None)
        engine.close(timeout=1.0)


def _prepared(
    engine: Engine, recorded: RecordedRun, report: RunReport
) -> tuple[ReplayedExecution, Target, Program[Any]] | None:
    """The program of the body, as a recovery runs it; None if that cannot run it."""
    registry = engine.registry
    claimed = replace(recorded.claimed, owner=engine.new_token())
    make = partial(ReplayedExecution, run=recorded, report=report)
    execution = claimed_execution(engine, claimed, make)
    assert isinstance(execution, ReplayedExecution)
    try:
        target = registry.find(
            claimed.workflow_id, claimed.name, claimed.class_name, claimed.config_name
        )
        args, kwargs = claimed_arguments(engine, claimed)
        validate = validator_of(target.workflow, claimed.serialization or engine.codec.name)
        if validate is not None:
            args, kwargs = validate(args, kwargs)
    except DBOSWorkflowFunctionNotFoundError as error:
        report.differs(Kind.UNKNOWN, error.message)
        return None
    except (DBOSRecoveryError, UnknownFormatError) as error:
        report.differs(Kind.UNREADABLE, f"the arguments cannot be read: {error}")
        return None
    except Exception as error:
        report.differs(Kind.ARGUMENTS, f"the arguments are refused: {error}")
        return None
    return execution, target, execute(execution, target.workflow, target.arguments(args), kwargs)


def _ends(execution: ReplayedExecution, target: Target, body: Program[Any], limit_s: float) -> bool:
    """Run a body on a thread of its own, because nothing ends one that hangs."""
    play = _play_async if target.workflow.is_async else _play
    # A context of its own: nothing of the caller's is a workflow around this one.
    context = contextvars.Context()
    thread = threading.Thread(
        target=lambda: context.run(play, execution, body), name="dboshub-replay", daemon=True
    )
    thread.start()
    thread.join(limit_s)
    return not thread.is_alive()


def _play(execution: ReplayedExecution, body: Program[Any]) -> None:
    try:
        run(body)
    except BaseException as error:
        _note_end(execution, error)


def _play_async(execution: ReplayedExecution, body: Program[Any]) -> None:
    loop = QuietLoop(execution.close)

    async def play() -> None:
        ended = asyncio.ensure_future(run_async(body))
        await asyncio.wait({ended})
        await loop.quiet(has_ended=True)  # branches that it left go on to the end of their record
        if (error := ended.exception()) is not None:
            _note_end(execution, error)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(play())


def _note_end(execution: ReplayedExecution, error: BaseException) -> None:
    """An error is the outcome, which is recorded; control flow that is not ours is a difference."""
    if not isinstance(error, (Exception, EndOfRecord)):
        name = type(error).__name__
        execution.report.differs(Kind.OUTCOME, f"the body ends by {name}, which records nothing")
