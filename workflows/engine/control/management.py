"""Cancel, resume, fork, delete and list workflows.

Inside a workflow body each call is a step, so a replay does not act again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dboshub.workflows.engine import validation
from dboshub.workflows.engine.context import frame
from dboshub.workflows.engine.control.list_filters import ListFilters, QueuedFilters, checked
from dboshub.workflows.engine.errors import DBOSException, DBOSNonExistentWorkflowError
from dboshub.workflows.engine.membership.incarnations import incarnation_of, token_prefix
from dboshub.workflows.engine.observability.spans import STEPS, spanned
from dboshub.workflows.engine.options import OPTIONS
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.records import INTERNAL_QUEUE, Status
from dboshub.workflows.engine.runtime.engine import Engine
from dboshub.workflows.engine.runtime.step_results import run_as_step
from dboshub.workflows.engine.status import StepInfo, WorkflowStatus, step_info, workflow_status
from dboshub.workflows.engine.waiting.notices import QUEUE, STATUS

IN_FLIGHT = (Status.DELAYED, Status.ENQUEUED, Status.PENDING)


def cancel(engine: Engine, ids: Sequence[str], *, children: bool = False) -> Program[None]:
    """Cancel those that are not SUCCESS or ERROR; unknown ids are ignored."""

    def act() -> None:
        cancelled = engine.store.cancel(
            validation.workflow_ids(ids), children=children, now=engine.clock.now_ms()
        )
        _revoke(engine, cancelled, Status.CANCELLED)
        engine.notices.publish((STATUS, each) for each in cancelled)

    return as_step(engine, "DBOS.cancelWorkflow", act)


def resume(engine: Engine, ids: Sequence[str], *, queue_name: str | None = None) -> Program[None]:
    """Enqueue workflows, to continue from the first unrecorded step; not SUCCESS and ERROR.

    Raises DBOSNonExistentWorkflowError for an unknown id; then none is resumed.
    """

    def act() -> None:
        try:
            resumed = engine.store.resume(
                validation.workflow_ids(ids), queue=queue_name, now=engine.clock.now_ms()
            )
        except KeyError as missing:
            raise DBOSNonExistentWorkflowError("target", str(missing.args[0])) from None
        _revoke(engine, resumed, Status.ENQUEUED)
        announce(engine, resumed, queue_name)

    return as_step(engine, "DBOS.resumeWorkflow", act)


def recover(engine: Engine, executor_ids: Sequence[str]) -> Program[list[str]]:
    """Enqueue again what these executors left PENDING in this version; return the ids.

    What this process itself runs is taken from it, as in the dbos library. What another live
    process of the hub runs stays with it; a dead one's is recovered without being asked for.
    """
    mine, settings = token_prefix(engine.incarnation), engine.settings

    def act() -> list[str]:
        pending = engine.store.workflows(
            executor_id=[*executor_ids],
            status=[Status.PENDING],
            app_version=[settings.application_version],
            own_application=settings.application_name,
            load_input=False,
            load_output=False,
        )
        found = engine.store.owners([each["workflow_id"] for each in pending])
        owned = [
            (workflow_id, owner)
            for workflow_id, (status, owner) in found.items()
            if status == Status.PENDING
            and (owner is None or incarnation_of(owner) is None or owner.startswith(mine))
        ]
        engine.store.reenqueue(owned, now=engine.clock.now_ms())
        ids = [workflow_id for workflow_id, _ in owned]
        _revoke(engine, ids, Status.ENQUEUED)
        announce(engine, ids, None)
        return ids

    return _ask(engine, act)


def delete(engine: Engine, ids: Sequence[str], *, children: bool = False) -> Program[None]:
    """Delete workflows in any status with all their data; unknown ids are ignored."""

    def act() -> None:
        deleted = engine.store.delete(validation.workflow_ids(ids), children=children)
        _revoke(engine, deleted, None)
        engine.notices.publish((STATUS, each) for each in deleted)

    return as_step(engine, "DBOS.deleteWorkflow", act)


def fork(
    engine: Engine,
    workflow_id: str,
    start_step: int,
    *,
    application_version: str | None = None,
    queue_name: str | None = None,
    queue_partition_key: str | None = None,
    replacement_children: dict[str, str] | None = None,
    timeout_seconds: float | None = None,
) -> Program[str]:
    """Enqueue a new workflow with the steps before `start_step` copied; returns its id.

    Raises DBOSNonExistentWorkflowError for an unknown id, DBOSException for a timeout that is
    not positive.
    """
    if isinstance(start_step, int) and start_step < 0:
        start_step = 0  # no step is copied
    validation.step("start_step", start_step)
    chosen = OPTIONS.get().take_id()
    new_id = chosen.value if chosen is not None else engine.new_workflow_id()

    def act() -> str:
        if timeout_seconds is not None and timeout_seconds <= 0:
            raise DBOSException(
                f"Invalid workflow timeout {timeout_seconds}. Timeouts must be positive."
            )
        try:
            engine.store.fork(
                workflow_id,
                new_id=new_id,
                start_step=start_step,
                application_version=application_version,
                queue=queue_name,
                partition_key=queue_partition_key,
                replacement_children=replacement_children,
                timeout_ms=None if timeout_seconds is None else int(timeout_seconds * 1000),
                now=engine.clock.now_ms(),
                fallback_application=engine.settings.application_name,
            )
        except LookupError:
            raise DBOSNonExistentWorkflowError("target", workflow_id) from None
        announce(engine, [workflow_id, new_id], queue_name)
        return new_id

    return as_step(engine, "DBOS.forkWorkflow", act)


def get_status(
    engine: Engine, workflow_id: str, step_id: int | None = None
) -> Program[WorkflowStatus | None]:
    """The status of a workflow, or None for an unknown id. Its step id may be drawn before."""

    def act() -> WorkflowStatus | None:
        rows = engine.store.workflows(workflow_ids=[workflow_id])
        return workflow_status(rows[0], engine.codec) if rows else None

    return as_step(engine, "DBOS.getStatus", act, step_id)


def list_workflows(engine: Engine, filters: dict[str, Any]) -> Program[list[WorkflowStatus]]:
    """Workflows that match the filters, oldest first unless ``sort_desc``."""

    def act() -> list[WorkflowStatus]:
        return _list(engine, checked(filters, ListFilters))

    return as_step(engine, "DBOS.listWorkflows", act)


def list_queued(engine: Engine, filters: dict[str, Any]) -> Program[list[WorkflowStatus]]:
    """Workflows on queues that match the filters; those in flight unless a status is given."""

    def act() -> list[WorkflowStatus]:
        given = {"status": [*IN_FLIGHT]} | checked(filters, QueuedFilters)
        return _list(engine, given | {"queues_only": True})

    return as_step(engine, "DBOS.listQueuedWorkflows", act)


def list_steps(
    engine: Engine,
    workflow_id: str,
    *,
    load_output: bool = True,
    limit: int | None = None,
    offset: int | None = None,
) -> Program[list[StepInfo]]:
    """The recorded steps of a workflow, by id; none for an unknown workflow."""

    def act() -> list[StepInfo]:
        found = engine.store.steps(workflow_id, load_output=load_output, limit=limit, offset=offset)
        return [step_info(each, engine.codec) for each in found]

    return as_step(engine, "DBOS.listWorkflowSteps", act)


def _list(engine: Engine, given: dict[str, Any]) -> list[WorkflowStatus]:
    rows = engine.store.workflows(own_application=engine.settings.application_name, **given)
    return [workflow_status(row, engine.codec) for row in rows]


def announce(engine: Engine, ids: Sequence[str], queue_name: str | None) -> None:
    """Wake the waiters of these workflows, and the processes that serve their queue."""
    notices = [(STATUS, each) for each in ids]
    engine.notices.publish([*notices, (QUEUE, queue_name or INTERNAL_QUEUE)])


def _revoke(engine: Engine, ids: Sequence[str], status: str | None) -> None:
    """Stop what of these runs here, once the change of their rows is committed."""
    engine.after_commit(lambda: engine.executions.revoke(ids, status))


def as_step(
    engine: Engine, name: str, act: Callable[[], Any], step_id: int | None = None
) -> Program[Any]:
    """Call `act`; in a workflow body as a step with this name. Its id may be drawn before."""
    current = frame()
    if current is None or current.step is not None:
        return _ask(engine, act)
    execution = current.execution
    step_id = execution.next_id() if step_id is None else step_id
    program = run_as_step(execution, step_id, name, _ask(engine, act))
    return spanned(execution, STEPS[name], program) if name in STEPS else program


def _ask(engine: Engine, act: Callable[[], Any]) -> Program[Any]:
    return (yield engine.change(act))
