"""Record the outcome of a workflow, in whatever form the database can keep."""

from __future__ import annotations

from contextlib import suppress

from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError, ExecutionInterrupted
from dboshub.workflows.engine.journal.commit import Commit
from dboshub.workflows.engine.journal.writes import Answer, OutcomeWrite, Verdict
from dboshub.workflows.engine.programs import Outcome, Program
from dboshub.workflows.engine.records import Status, WorkflowOutcome
from dboshub.workflows.engine.runtime.begun import BegunId
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.unserializable import result_of


def readable(execution: Execution, outcome: Outcome) -> tuple[Outcome, str]:
    """The outcome as everybody who reads the row sees it, and its text.

    A value that cannot be recorded becomes the error that says so. Raises ExecutionInterrupted
    for an error once work is handed back: the closing of this process may have caused it.
    """
    codec, name = execution.engine.codec, execution.serialization
    if outcome.error is None:
        try:
            text = codec.encode(outcome.value, name, result_of("workflow", execution.name))
            value = outcome.value if codec.is_lossless else codec.decode(text, name)
            return Outcome(value, None), text
        except Exception as unserializable:
            outcome = Outcome(None, unserializable)
    if execution.engine.executions.is_handing_back:
        raise ExecutionInterrupted(execution.workflow_id)
    assert outcome.error is not None
    return outcome, codec.encode_error(outcome.error, name)


def record_outcome(execution: Execution, outcome: Outcome, text: str) -> Program[Outcome]:
    """Record an outcome, and return what was recorded.

    If the database refuses the record, an error as text is recorded in its place; if it refuses
    that, too, it is logged and raised. Raises DBOSWorkflowConflictIDError if another execution
    owns the row.
    """
    engine, workflow_id = execution.engine, execution.workflow_id
    write = _write(execution, outcome, text)
    try:
        answer: Answer = yield Commit(
            engine.journal,
            write,
            lingers=_may_linger(execution),
            may_detach=execution.is_background and outcome.error is None,
        )
    except Exception as refused:
        engine.logger.warning(
            "The outcome of workflow %s is recorded as text: the database refuses it",
            workflow_id,
            exc_info=refused,
        )
        outcome, text = _as_text(execution, outcome, refused)
        write = _write(execution, outcome, text)
        try:
            answer = yield Commit(engine.journal, write)
        except Exception:
            engine.logger.exception("The outcome of workflow %s is not recorded", workflow_id)
            raise
    if answer.verdict is not Verdict.DONE:
        raise DBOSWorkflowConflictIDError(workflow_id)
    if execution.begun is not None:
        _keep(execution, execution.begun, write, outcome.error)
    return outcome


def _may_linger(execution: Execution) -> bool:
    """Whether nobody waits for the outcome: no caller, no waiter, no limit of a queue."""
    engine, queue_name = execution.engine, execution.queue_name
    return (
        execution.is_background
        and not engine.executions.is_draining
        and (queue_name is None or not engine.has_limits(queue_name))
        and not engine.waits.is_waiting("result", execution.workflow_id)
    )


def _keep(
    execution: Execution, begun: BegunId, write: OutcomeWrite, error: Exception | None
) -> None:
    """Keep what was recorded for those who have the id, and an error that its record loses."""
    name = execution.serialization
    raised = error
    if error is not None and write.error is not None:
        with suppress(Exception):
            restored = execution.engine.codec.decode_error(write.error, name)
            raised = error if type(restored) is not type(error) else None
    ended = WorkflowOutcome(
        workflow_id=write.workflow_id,
        status=write.status,
        output=write.output,
        error=write.error,
        serialization=name,
    )
    begun.ended(ended, raised)


def _as_text(execution: Execution, outcome: Outcome, refused: Exception) -> tuple[Outcome, str]:
    codec = execution.engine.codec
    error = outcome.error if outcome.error is not None else refused
    as_text = codec.error_as_text(error, refused)
    return Outcome(None, error), codec.encode_error(as_text, execution.serialization)


def _write(execution: Execution, outcome: Outcome, text: str) -> OutcomeWrite:
    failed = outcome.error is not None
    return OutcomeWrite(
        workflow_id=execution.workflow_id,
        owner=execution.owner,
        status=Status.ERROR if failed else Status.SUCCESS,
        output=None if failed else text,
        error=text if failed else None,
        now=execution.engine.clock.now_ms(),
    )
