"""Compare how a replay ended with how the recorded run did."""

from __future__ import annotations

from collections.abc import Sequence

from dboshub.workflows.engine.journal.writes import OutcomeWrite
from dboshub.workflows.engine.records import Checkpoint, WorkflowOutcome
from dboshub.workflows.engine.replay.execution import PATCH, is_same
from dboshub.workflows.engine.replay.records import Kind, RecordedRun, RunReport
from dboshub.workflows.engine.serialization import Codec

MOST_MISSING = 20


def judge(
    run: RecordedRun,
    report: RunReport,
    outcome: OutcomeWrite | None,
    left: Sequence[Checkpoint],
    codec: Codec,
) -> None:
    """Note what differs at the end; what follows from a difference before is not noted."""
    report.outcome = None if outcome is None else outcome.status
    if report.divergences:
        return
    if left:
        end = ""
        if outcome is not None and outcome.error is not None:
            end = f": it ends with {_error(codec, outcome.error, run.outcome.serialization)}"
        for each in left[:MOST_MISSING]:
            text = f"step {each.function_id} ({each.name}) is recorded, and the code never calls it"
            report.differs(Kind.MISSING, text + end, each.function_id, recorded=each.name)
        return
    if not run.has_outcome:
        return
    if outcome is None:
        _judge_what_goes_on(run, report)
    elif (difference := _difference(run.outcome, outcome, codec)) is not None:
        report.differs(Kind.OUTCOME, difference, recorded=run.outcome.status, called=outcome.status)


def _judge_what_goes_on(run: RecordedRun, report: RunReport) -> None:
    step_id, name = report.goes_on_with or (0, "a call")
    if name == PATCH:
        return  # code that is new at the end of the run: one under way would record the patch
    text = f"the run ended with {run.outcome.status}, and the code goes on with {step_id} ({name})"
    report.differs(Kind.EXTRA, text, step_id, called=name)


def _difference(then: WorkflowOutcome, now: OutcomeWrite, codec: Codec) -> str | None:
    if then.status != now.status:
        return f"the run ended with {then.status}, and the code ends with {now.status}" + (
            f": {_error(codec, now.error, then.serialization)}" if now.error else ""
        )
    if now.error is not None:
        was, is_ = (_error(codec, each, then.serialization) for each in (then.error, now.error))
        return None if was == is_ else f"the run failed with {was}, and the code fails with {is_}"
    if then.output is None or now.output is None:
        return None if then.output == now.output else "the run returned another value"
    texts = [(each, then.serialization) for each in (now.output, then.output)]
    return None if is_same(codec, *texts) else "the code returns another value than is recorded"


def _error(codec: Codec, text: str | None, serialization: str | None) -> str:
    """Type and message of a recorded error."""
    if text is None:
        return "no error"
    try:
        error = codec.decode_error(text, serialization)
    except Exception as unreadable:
        return f"an error that cannot be read ({unreadable})"
    return f"{getattr(error, 'name', type(error).__name__)}: {error}"
