"""Start a workflow: insert its row and input, with the parent's checkpoint, exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.context import Frame, frame
from dboshub.workflows.engine.errors import (
    DBOSConflictingWorkflowError,
    DBOSException,
    DBOSQueueDeduplicatedError,
    DBOSWorkflowIDInUseError,
)
from dboshub.workflows.engine.identity import current_identity
from dboshub.workflows.engine.journal.group_commit import Commit
from dboshub.workflows.engine.journal.writes import Answer, StartWrite, StepWrite, Verdict
from dboshub.workflows.engine.options import OPTIONS, StartOptions
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Started
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.handing_back import has_lost_its_loop, run_again
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
    current = frame()
    function, options = parameters.function, parameters.options
    if current is not None and current.step is not None:
        raise AssertionError(
            f"workflow {function.name} cannot be started from within a step: start it from the "
            "workflow itself"
        )
    _refuse_while_draining(engine, current, function)
    if parameters.queue_name is None and engine.ambient() is not None:
        raise DBOSException(
            f"workflow {function.name} cannot be started within an open transaction on the system "
            "database: start it when that commits, by transaction.on_commit(…), or enqueue it"
        )
    identity = parameters.identity or current_identity()
    parent = current.execution if current is not None else None
    step_id = parent.next_id() if parent is not None else 0
    chosen = options.take_id()
    if chosen is not None:
        workflow_id = chosen.value
    elif parent is not None:
        workflow_id = f"{parent.workflow_id}-{step_id}"
    else:
        workflow_id = engine.new_workflow_id()
    if parameters.queue_name is not None:
        options.verify_queue_options()
    return PreparedStart(
        parameters=parameters,
        identity=identity,
        args=args,
        kwargs=kwargs,
        parent=parent,
        step_id=step_id,
        workflow_id=workflow_id,
        is_chosen=chosen is not None,
        reuse_policy=chosen.reuse_policy if chosen is not None else "return-existing",
    )


def _refuse_while_draining(
    engine: Engine, current: Frame | None, function: FunctionReference
) -> None:
    if not engine.is_draining:
        return
    if current is not None:
        current.execution.interrupt()
        current.execution.raise_if_stopped()
    raise DBOSException(f"DBOS is stopping: workflow {function.name} was not started")


def record_start(engine: Engine, start: PreparedStart) -> Program[StartResult]:
    """Make a start durable, once; a later start with its id finds the first one.

    Within a workflow the start, or the error that refuses it, is recorded as a step.
    """
    parent = start.parent
    if parent is None:
        return (yield from _insert(engine, start))
    name = start.function.name
    checkpoint = yield from parent.checkpoint_of(start.step_id, name)
    if checkpoint is not None:
        parent.raise_if_stopped()
        if checkpoint.error is not None:
            parent.replay(checkpoint)
        return StartResult(checkpoint.child_id or start.workflow_id, None)
    yield from parent.verify_can_continue()
    try:
        return (yield from _insert(engine, start))
    except (
        DBOSConflictingWorkflowError,
        DBOSQueueDeduplicatedError,
        DBOSWorkflowIDInUseError,
    ) as error:
        now = engine.clock.now_ms()
        yield from parent.commit(parent.error_write(start.step_id, name, error, started_at=now))
        raise


def _insert(engine: Engine, start: PreparedStart) -> Program[StartResult]:
    token = engine.new_token()
    write = _start_write(engine, start, token)
    try:
        answer = yield from _commit(engine, start, write)
    except BaseException as error:
        if has_lost_its_loop(error):  # what was written has no execution
            run_again(engine, start.workflow_id, token, start.queue_name)
        raise
    started = answer.started
    assert started is not None
    if started.deduplicated_by is not None:
        return (yield from _deduplicated(start, started.deduplicated_by))
    if not started.created:
        _expect_same_function(start, started)
        return StartResult(start.workflow_id, None)
    if start.queue_name is not None:
        return StartResult(start.workflow_id, None)
    execution = Execution(
        engine=engine,
        workflow_id=start.workflow_id,
        owner=token,
        name=start.function.name,
        identity=start.identity,
        serialization=write.row.serialization,
        deadline_ms=write.row.workflow_deadline_epoch_ms,
        trace=engine.tracer.current_trace() if engine.tracer is not None else None,
    )
    return StartResult(start.workflow_id, execution)


def _commit(engine: Engine, start: PreparedStart, write: StartWrite) -> Program[Answer]:
    if start.parent is not None:
        return (yield from start.parent.commit(write))
    answer: Answer = yield Commit(engine.journal, write)
    assert answer.verdict is Verdict.DONE
    return answer


def _start_write(engine: Engine, start: PreparedStart, token: str) -> StartWrite:
    row = new_row(engine, start, token)
    parent_step = None
    if start.parent is not None:
        parent_step = _child_step(start, start.parent, start.workflow_id, row.created_at)
    assert row.serialization is not None
    return StartWrite(
        row=row,
        inputs=engine.codec.encode_args(
            start.args, start.kwargs, row.serialization, engine.registry.arguments(row.name)
        ),
        parent=parent_step,
        chosen_id=start.is_chosen or row.deduplication_id is not None,
        reject_existing=start.reuse_policy == "reject",
    )


def _child_step(start: PreparedStart, parent: Execution, child_id: str, now: int) -> StepWrite:
    return parent.step_write(
        start.step_id, start.function.name, child_id=child_id, started_at=now, completed_at=now
    )


def _deduplicated(start: PreparedStart, holder: str) -> Program[StartResult]:
    """Another workflow holds the deduplication id: return it, or raise, as the policy says."""
    if start.options.duplication_policy == "return-existing":
        if start.parent is not None:
            now = start.parent.engine.clock.now_ms()
            yield from start.parent.commit(_child_step(start, start.parent, holder, now))
        return StartResult(holder, None)
    raise DBOSQueueDeduplicatedError(
        start.workflow_id, start.queue_name or "", start.options.deduplication_id or ""
    )


def _expect_same_function(start: PreparedStart, found: Started) -> None:
    function = start.function
    if start.reuse_policy == "reject":
        raise DBOSWorkflowIDInUseError(start.workflow_id, found.status, found.name or "")
    for kind, existing, wanted in (
        ("function name", found.name, function.name),
        ("class name", found.class_name, function.class_name),
        ("class configuration", found.config_name, function.config_name),
    ):
        if existing != wanted:
            raise DBOSConflictingWorkflowError(
                start.workflow_id,
                f"Workflow already exists with a different {kind}: {existing}, but the provided "
                f"{kind} is: {wanted}",
            )


def refuse_queue_options(options: StartOptions) -> None:
    """Raise DBOSException for options that have a meaning on a queue alone."""
    given = {
        "deduplication_id": options.deduplication_id,
        "priority": options.priority or None,
        "queue_partition_key": options.partition_key,
        "delay_seconds": options.delay_s,
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise DBOSException(
            f"Enqueue option(s) {', '.join(named)} set on a workflow that is not being enqueued. "
            "These options are only supported when enqueueing a workflow onto a queue."
        )
