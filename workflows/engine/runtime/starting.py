"""Starting workflows: the row and its input, the parent's checkpoint, who runs the body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.context import IDENTITY, Identity, frame
from dboshub.workflows.engine.errors import (
    DBOSConflictingWorkflowError,
    DBOSException,
    DBOSQueueDeduplicatedError,
    DBOSWorkflowIDInUseError,
)
from dboshub.workflows.engine.journal.group_commit import Commit
from dboshub.workflows.engine.journal.writes import StartWrite, StepWrite, Verdict
from dboshub.workflows.engine.options import OPTIONS, StartOptions
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import Started
from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.registration.roles import authorized
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.runtime.runs import Run
from dboshub.workflows.engine.runtime.start_row import new_row
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionReference:
    """What a row says of the function to run; it need not exist in this process."""

    name: str
    class_name: str | None = None
    config_name: str | None = None
    serialization: WorkflowSerializationFormat | None = None
    required_roles: tuple[str, ...] | None = None

    @classmethod
    def of(cls, target: Target) -> FunctionReference:
        return cls(
            name=target.workflow.name,
            class_name=target.class_name,
            config_name=target.config_name,
            serialization=target.workflow.serialization,
            required_roles=target.workflow.required_roles,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """One start as the caller asked for it, its ids already drawn."""

    naming: FunctionReference
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    options: StartOptions
    identity: Identity
    parent: Execution | None
    step_id: int
    workflow_id: str
    is_chosen: bool
    reuse_policy: str
    queue_name: str | None


@dataclass(frozen=True, slots=True)
class Launched:
    """A start that was made durable: with an execution if this process is to run it now."""

    workflow_id: str
    execution: Execution | None


def request(
    engine: Engine,
    naming: FunctionReference,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    *,
    queue_name: str | None = None,
) -> Request:
    """Draw the ids of a start, now: before anything is awaited."""
    current = frame()
    if current is not None and current.step is not None:
        raise AssertionError(
            f"workflow {naming.name} cannot be started from within a step: start it from the "
            "workflow itself"
        )
    if engine.is_draining:
        raise DBOSException(f"DBOS is stopping: workflow {naming.name} was not started")
    if queue_name is None and engine.ambient() is not None:
        raise DBOSException(
            f"workflow {naming.name} cannot be started within an open transaction on the system "
            "database: start it when that commits, by transaction.on_commit(…), or enqueue it"
        )
    identity = authorized(naming.name, naming.required_roles, IDENTITY.get())
    options = OPTIONS.get()
    parent = current.execution if current is not None else None
    step_id = parent.next_id() if parent is not None else 0
    chosen = options.take_id()
    if chosen is not None:
        workflow_id = chosen.value
    elif parent is not None:
        workflow_id = f"{parent.workflow_id}-{step_id}"
    else:
        workflow_id = engine.new_workflow_id()
    if queue_name is None:
        _refuse_queue_options(options)
    return Request(
        naming=naming,
        args=args,
        kwargs=kwargs,
        options=options,
        identity=identity,
        parent=parent,
        step_id=step_id,
        workflow_id=workflow_id,
        is_chosen=chosen is not None,
        reuse_policy=chosen.reuse_policy if chosen is not None else "return-existing",
        queue_name=queue_name,
    )


def launch(engine: Engine, asked: Request) -> Program[Launched]:
    """Make a start durable, once; later starts with its id find the first one."""
    parent = asked.parent
    if parent is None:
        return (yield from _insert(engine, asked))
    checkpoint = yield from parent.recorded(asked.step_id, asked.naming.name)
    if checkpoint is not None:
        parent.check()
        if checkpoint.error is not None:
            parent.replay(checkpoint)
        return Launched(checkpoint.child_id or asked.workflow_id, None)
    yield from parent.proceed()
    try:
        return (yield from _insert(engine, asked))
    except (
        DBOSConflictingWorkflowError,
        DBOSQueueDeduplicatedError,
        DBOSWorkflowIDInUseError,
    ) as error:
        now = engine.clock.now_ms()
        yield from parent.commit(
            parent.error_write(asked.step_id, asked.naming.name, error, started_at=now)
        )
        raise


def _insert(engine: Engine, asked: Request) -> Program[Launched]:
    token = engine.new_token()
    write = _start_write(engine, asked, token)
    if asked.parent is not None:
        answer = yield from asked.parent.commit(write)
    else:
        answer = yield Commit(engine.journal, write)
        assert answer.verdict is Verdict.DONE
    started = answer.started
    assert started is not None
    if started.deduplicated_by is not None:
        return (yield from _deduplicated(asked, started.deduplicated_by))
    if not started.created:
        _expect_same(asked, started)
        return Launched(asked.workflow_id, None)
    if asked.queue_name is not None:
        return Launched(asked.workflow_id, None)
    run = Run(
        workflow_id=asked.workflow_id,
        owner=token,
        name=asked.naming.name,
        identity=asked.identity,
        serialization=write.row.serialization,
        deadline_ms=write.row.workflow_deadline_epoch_ms,
        trace=engine.tracer.here() if engine.tracer is not None else None,
    )
    return Launched(asked.workflow_id, Execution(engine, run))


def _start_write(engine: Engine, asked: Request, token: str) -> StartWrite:
    row = new_row(engine, asked, token)
    parent_step = None
    if asked.parent is not None:
        parent_step = _child_step(asked, asked.parent, asked.workflow_id, row.created_at)
    assert row.serialization is not None
    return StartWrite(
        row=row,
        inputs=engine.codec.encode_args(asked.args, asked.kwargs, row.serialization),
        parent=parent_step,
        chosen_id=asked.is_chosen or row.deduplication_id is not None,
        reject_existing=asked.reuse_policy == "reject",
    )


def _child_step(asked: Request, parent: Execution, child_id: str, now: int) -> StepWrite:
    return parent.step_write(
        asked.step_id, asked.naming.name, child_id=child_id, started_at=now, completed_at=now
    )


def _deduplicated(asked: Request, holder: str) -> Program[Launched]:
    if asked.options.duplication_policy == "return-existing":
        if asked.parent is not None:
            now = asked.parent.engine.clock.now_ms()
            yield from asked.parent.commit(_child_step(asked, asked.parent, holder, now))
        return Launched(holder, None)
    raise DBOSQueueDeduplicatedError(
        asked.workflow_id, asked.queue_name or "", asked.options.deduplication_id or ""
    )


def _expect_same(asked: Request, found: Started) -> None:
    if asked.reuse_policy == "reject":
        raise DBOSWorkflowIDInUseError(asked.workflow_id)
    naming = asked.naming
    wanted = (naming.name, naming.class_name, naming.config_name)
    existing = (found.name, found.class_name, found.config_name)
    if wanted != existing:
        raise DBOSConflictingWorkflowError(
            asked.workflow_id, f"it is a run of {_spelled(existing)}, not of {_spelled(wanted)}"
        )


def _spelled(names: tuple[str | None, ...]) -> str:
    name, class_name, config_name = names
    instance = f" on instance {config_name!r} of {class_name}" if config_name else ""
    return f"{name}{instance}"


def _refuse_queue_options(options: StartOptions) -> None:
    given = {
        "deduplication_id": options.deduplication_id,
        "priority": options.priority or None,
        "queue_partition_key": options.partition_key,
        "delay_seconds": options.delay_s,
    }
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise DBOSException(
            f"{', '.join(named)} only make sense on a queue: enqueue the workflow instead of "
            "starting it"
        )
