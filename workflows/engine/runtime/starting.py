"""Start a workflow: insert its row and input, with the parent's checkpoint, exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from dboshub.workflows.engine.context import Frame, frame
from dboshub.workflows.engine.current_engine import current_client
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.identity import current_identity
from dboshub.workflows.engine.journal.commit import Commit
from dboshub.workflows.engine.journal.writes import Answer, StartWrite, StepWrite, Verdict
from dboshub.workflows.engine.options import OPTIONS
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import NewWorkflow
from dboshub.workflows.engine.runtime.begun import BegunId
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.handing_back import has_lost_its_loop, run_again
from dboshub.workflows.engine.runtime.refusals import REFUSALS, refusal
from dboshub.workflows.engine.runtime.start_request import (
    FunctionReference,
    PreparedStart,
    StartParameters,
)
from dboshub.workflows.engine.runtime.start_row import new_row


@dataclass(frozen=True, slots=True)
class StartResult:
    """A start that is durable; it has an execution if this process runs the workflow now."""

    workflow_id: str
    execution: Execution | None


def in_this_context(function: FunctionReference, queue_name: str | None = None) -> StartParameters:
    """The parameters of a start with the options that the blocks around the caller set."""
    return StartParameters(function, queue_name, OPTIONS.get())


def prepare(
    engine: Engine,
    parameters: StartParameters,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> PreparedStart:
    """Check a start and draw its ids, before anything is awaited.

    Raises AssertionError within a step, and DBOSException within an open transaction on the system
    database (unless the workflow is enqueued), and for queue options that cannot be. While the
    engine drains it raises DBOSException; within a workflow ExecutionInterrupted, because that is
    no error of its own.
    """
    what = f"workflow {parameters.function.name}"
    parent = caller_of_start(engine, what, runs_here=parameters.queue_name is None)
    step_id = parent.next_id() if parent is not None else 0
    return with_ids(engine, parameters, args, kwargs, parent, step_id)


def caller_of_start(engine: Engine, what: str, *, runs_here: bool) -> Execution | None:
    """The workflow that starts `what`, or None; raises as ``prepare`` does if nobody may."""
    current = frame()
    if current is not None and current.step is not None:
        raise AssertionError(
            f"{what} cannot be started from within a step: start it from the workflow itself"
        )
    _refuse_while_draining(engine, current, what)
    if runs_here and engine.ambient() is not None:
        raise DBOSException(
            f"{what} cannot be started within an open transaction on the system database: start it "
            "when that commits, by transaction.on_commit(…), or enqueue it"
        )
    return current.execution if current is not None else None


def with_ids(
    engine: Engine,
    parameters: StartParameters,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    parent: Execution | None,
    step_id: int,
) -> PreparedStart:
    """A start with its ids. Raises DBOSException for queue options that cannot be."""
    options = parameters.options
    chosen = options.take_id()
    if chosen is not None:
        workflow_id = chosen.value
    elif parent is not None:
        workflow_id = f"{parent.workflow_id}-{step_id}"
    else:
        workflow_id = engine.new_workflow_id()
    if parameters.queue_name is not None:
        options.verify_queue_options(is_by_client=current_client() is not None)
    return PreparedStart(
        parameters=parameters,
        identity=parameters.identity or current_identity(),
        args=args,
        kwargs=kwargs,
        parent=parent,
        step_id=step_id,
        workflow_id=workflow_id,
        is_chosen=chosen is not None,
        reuse_policy=chosen.reuse_policy if chosen is not None else "return-existing",
    )


def _refuse_while_draining(engine: Engine, current: Frame | None, what: str) -> None:
    if not engine.is_draining:
        return
    if current is not None:
        current.execution.interrupt()
        current.execution.raise_if_stopped()
    raise DBOSException(f"DBOS is stopping: {what} was not started")


def record_start(engine: Engine, start: PreparedStart) -> Program[StartResult]:
    """Make a start durable, once; a later start with its id finds the first one.

    Within a workflow the start, or the error that refuses it, is recorded as a step.
    """
    parent = start.parent
    if parent is None:
        return (yield from _insert(engine, start))
    name = start.function.name
    given = partial(encoded_arguments, engine, start)
    checkpoint = yield from parent.checkpoint_of(start.step_id, name, given)
    if checkpoint is not None:
        parent.raise_if_stopped()
        if checkpoint.error is not None:
            parent.replay(checkpoint)
        return StartResult(checkpoint.child_id or start.workflow_id, None)
    yield from parent.verify_can_continue()
    try:
        return (yield from _insert(engine, start))
    except REFUSALS as error:
        now = engine.clock.now_ms()
        yield from parent.commit(parent.error_write(start.step_id, name, error, started_at=now))
        raise


def _insert(engine: Engine, start: PreparedStart) -> Program[StartResult]:
    token = engine.new_token()
    write = start_write(engine, start, token)
    try:
        answer = yield from _commit(engine, start, write)
    except BaseException as error:
        if has_lost_its_loop(error):  # what was written has no execution
            run_again(engine, start.workflow_id, token, start.queue_name)
        raise
    started = answer.started
    assert started is not None
    refused = refusal(start, started)
    if refused is not None:
        raise refused
    if started.deduplicated_by is not None:
        if start.parent is not None:
            yield from start.parent.commit(child_step(start, start.parent, started.deduplicated_by))
        return StartResult(started.deduplicated_by, None)
    if not started.created or start.queue_name is not None:
        return StartResult(start.workflow_id, None)
    execution = execution_of(engine, start, write.row)
    return StartResult(execution.begun or start.workflow_id, execution)


def execution_of(engine: Engine, start: PreparedStart, row: NewWorkflow) -> Execution:
    """The execution of a start that this process owns."""
    assert row.owner_xid is not None
    return Execution(
        engine=engine,
        workflow_id=row.workflow_uuid,
        owner=row.owner_xid,
        name=row.name,
        identity=start.identity,
        serialization=row.serialization,
        deadline_ms=row.workflow_deadline_epoch_ms,
        begun=BegunId(row.workflow_uuid),
        trace=engine.tracer.current_trace() if engine.tracer is not None else None,
    )


def _commit(engine: Engine, start: PreparedStart, write: StartWrite) -> Program[Answer]:
    if start.parent is not None:
        return (yield from start.parent.commit(write))
    answer: Answer = yield Commit(engine.journal, write)
    assert answer.verdict is Verdict.DONE
    return answer


def start_write(engine: Engine, start: PreparedStart, token: str) -> StartWrite:
    """The write of a start. Raises the serializer's error for its arguments."""
    row = new_row(engine, start, token)
    parent_step = None
    if start.parent is not None:
        parent_step = child_step(start, start.parent, start.workflow_id)
    inputs, _ = encoded_arguments(engine, start)
    return StartWrite(
        row=row,
        inputs=inputs,
        parent=parent_step,
        chosen_id=start.is_chosen or row.deduplication_id is not None,
        reject_existing=start.reuse_policy == "reject",
        accept_duplicate=start.options.duplication_policy == "return-existing",
    )


def encoded_arguments(engine: Engine, start: PreparedStart) -> tuple[str, str]:
    """The arguments of a start as text, and its format. Raises the serializer's error."""
    function, codec = start.function, engine.codec
    inherited = start.parent.serialization if start.parent is not None else None
    name = codec.format_name(function.serialization, inherited)
    arguments = engine.registry.arguments(function.name)
    return codec.encode_args(start.args, start.kwargs, name, arguments), name


def child_step(start: PreparedStart, parent: Execution, child_id: str) -> StepWrite:
    """The parent's checkpoint that names its child."""
    now = parent.engine.clock.now_ms()
    return parent.step_write(
        start.step_id, start.function.name, child_id=child_id, started_at=now, completed_at=now
    )
