"""Errors of steps, patches and streams.

Default values of fields are for records of 0.2, which hold only the message of some errors.
"""

from __future__ import annotations

from dboshub.workflows.engine.error_base import DBOSErrorCode, FieldsError


class DBOSMaxStepRetriesExceeded(FieldsError):
    """Every allowed attempt of a step failed; ``errors`` lists what each one raised."""

    code = DBOSErrorCode.MaxStepRetriesExceeded.value
    fields = ("step_name", "max_retries", "errors")
    template = "Step {step_name} has exceeded its maximum of {max_retries} retries"

    def __init__(self, step_name: str, max_retries: int, errors: list[Exception]) -> None:
        super().__init__(step_name, max_retries, errors)


class DBOSUnexpectedStepError(FieldsError):
    """A replay found another step under this id: the code changed while the workflow ran.

    Deploy the old code to finish the workflow, or fork it from a step that both versions share.
    """

    code = DBOSErrorCode.UnexpectedStep.value
    fields = ("workflow_id", "step_id", "expected_name", "recorded_name")
    template = (
        "During execution of workflow {workflow_id} step {step_id}, function {recorded_name} was "
        "recorded when {expected_name} was expected. Check that your workflow is deterministic. If "
        "its code changed, finish it with the version that began it, or fork it from an earlier "
        "step. Branches that run at once must not wait for what is no step, as asyncio.sleep()."
    )

    def __init__(
        self, workflow_id: str, step_id: int, expected_name: str, recorded_name: str
    ) -> None:
        super().__init__(workflow_id, step_id, expected_name, recorded_name)


class DBOSPatchNondeterminismError(FieldsError):
    """Another durable call drew a step id while a patch read its own."""

    code = DBOSErrorCode.PatchNondeterminism.value
    fields = ("workflow_id", "patch_name", "details")
    template = (
        "Cannot deterministically apply patch {patch_name} in workflow {workflow_id}: {details}. "
        "Check that your workflow is deterministic."
    )

    def __init__(self, workflow_id: str, patch_name: str, details: str = "await it alone") -> None:
        super().__init__(workflow_id, patch_name, details)


class DBOSStreamTimeoutError(FieldsError):
    """No stream value came within the timeout."""

    code = DBOSErrorCode.StreamTimeout.value
    fields = ("workflow_id", "key", "timeout_seconds")
    template = "No value arrived on stream {key} of workflow {workflow_id}"

    def __init__(
        self, workflow_id: str, key: str = "", timeout_seconds: float | None = None
    ) -> None:
        super().__init__(workflow_id, key, timeout_seconds)
        if timeout_seconds is not None:
            self.message += f" within {timeout_seconds} seconds"
            self.args = (self.message,)


OVERLAPPING_READ = (
    "another stream read in the same workflow is still in progress, so which read records which "
    "value would depend on task scheduling. Read streams from sequential workflow code, or read "
    "them from a step."
)


class DBOSStreamNondeterminismError(FieldsError):
    """Two stream reads of one workflow overlap, or a replay reads another stream."""

    code = DBOSErrorCode.StreamNondeterminism.value
    fields = ("workflow_id", "key", "reason")
    template = "Cannot deterministically read stream {key} in workflow {workflow_id}: {reason}"

    def __init__(self, workflow_id: str, key: str = "", reason: str = OVERLAPPING_READ) -> None:
        super().__init__(workflow_id, key, reason)


class DBOSStepTimeoutError(FieldsError):
    """An attempt of an async step took longer than its ``timeout_seconds``."""

    code = DBOSErrorCode.StepTimeout.value
    fields = ("step_name", "timeout_seconds")
    template = (
        "Step {step_name} was cancelled after exceeding its timeout of {timeout_seconds} seconds"
    )

    def __init__(self, step_name: str, timeout_seconds: float = 0.0) -> None:
        super().__init__(step_name, timeout_seconds)


class DBOSStepNondeterminismError(FieldsError):
    """One execution recorded two different outcomes for one step id."""

    code = DBOSErrorCode.StepNondeterminism.value
    fields = ("workflow_id", "step_id")
    template = (
        "Step {step_id} of workflow {workflow_id} was recorded twice by the same execution with "
        "different results. Check that your workflow is deterministic."
    )

    def __init__(self, workflow_id: str, step_id: int, name: str = "") -> None:
        super().__init__(workflow_id, step_id)
