"""All errors that the engine raises on purpose, with the names and codes of DBOS.

    DBOSException
    └── DBOSRecoveryError, DBOSInitializationError, DBOSWorkflowFunctionNotFoundError, …
    DBOSBaseException            control flow that user code must not swallow
    ├── DBOSWorkflowConflictIDError   this execution no longer owns its workflow
    ├── DBOSWorkflowCancelledError    the workflow was cancelled
    ├── ExecutionInterrupted          this process is stopping; nothing is recorded
    │   └── WorkflowSuspended         the workflow leaves memory while it waits
    ├── UnreadableHistory             a recorded step cannot be read; nothing is recorded
    └── ResourcesExhausted            this process cannot start a thread now; nothing is recorded

Errors have the words and the fields of the dbos library; what to do about one comes after them.
"""

from __future__ import annotations

from typing import Any

from dboshub.workflows.engine.error_base import (
    DBOSBaseException,
    DBOSErrorCode,
    DBOSException,
    FieldsError,
)
from dboshub.workflows.engine.step_errors import (
    DBOSMaxStepRetriesExceeded,
    DBOSPatchNondeterminismError,
    DBOSStepNondeterminismError,
    DBOSStepTimeoutError,
    DBOSStreamNondeterminismError,
    DBOSStreamTimeoutError,
    DBOSUnexpectedStepError,
)

__all__ = [
    "DBOSBaseException",
    "DBOSErrorCode",
    "DBOSException",
    "DBOSMaxStepRetriesExceeded",
    "DBOSPatchNondeterminismError",
    "DBOSStepNondeterminismError",
    "DBOSStepTimeoutError",
    "DBOSStreamNondeterminismError",
    "DBOSStreamTimeoutError",
    "DBOSUnexpectedStepError",
    "FieldsError",
]


class DBOSWorkflowConflictIDError(DBOSBaseException):
    """This execution no longer owns the workflow's row; another execution continues it."""

    code = 1

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"Workflow {workflow_id} is no longer owned by this execution")
        self.args = (workflow_id,)
        self.workflow_id = workflow_id


class DBOSWorkflowCancelledError(DBOSBaseException):
    """Raised inside a cancelled workflow at its next durable call."""

    code = 10


class ExecutionInterrupted(DBOSBaseException):
    """The engine is stopping: the workflow stays PENDING, and another executor continues it."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"workflow {workflow_id} was interrupted because its engine is stopping")
        self.args = (workflow_id,)


class WorkflowSuspended(ExecutionInterrupted):
    """The workflow waits long, so it leaves memory: it is replayed when the wait is over."""

    def __init__(self, workflow_id: str) -> None:
        DBOSBaseException.__init__(self, f"workflow {workflow_id} leaves memory while it waits")
        self.args = (workflow_id,)


class UnreadableHistory(DBOSBaseException):
    """A recorded step cannot be read: the workflow stays PENDING, and is tried again later."""


class ResourcesExhausted(DBOSBaseException):
    """This process cannot start a thread or an event loop now: the workflow is enqueued again."""


class LoopEnded(DBOSBaseException):
    """The event loop of a coroutine that a thread waits for has ended: nothing continues it."""


class DBOSRecoveryError(FieldsError):
    """A dequeued or recovered workflow cannot be run."""

    code = DBOSErrorCode.RecoveryError.value
    fields = ("workflow_id", "detail")
    template = "Recovery error for workflow ID {workflow_id}: {detail}"

    def __init__(self, workflow_id: str, message: str | None = None) -> None:
        super().__init__(workflow_id, message)


class UnansweredQueryError(DBOSException):
    """The database fails for one query each time, although it answers others."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"a query was given up, for which the database fails while it answers others: {reason}"
        )
        self.args = (reason,)


class DBOSInitializationError(DBOSException):
    """The configuration is not valid."""

    code = 3


class DatabaseUrlError(DBOSInitializationError):
    """No database can be opened by this URL."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot use database URL {url!r}: {reason}")
        self.args = (url, reason)


class DBOSWorkflowFunctionNotFoundError(FieldsError):
    """No function is registered in this process under the name of a workflow."""

    code = DBOSErrorCode.WorkflowFunctionNotFound.value
    fields = ("workflow_id", "detail")
    template = "Could not execute workflow {workflow_id}: {detail}"

    def __init__(self, workflow_id: str, message: str | None = None) -> None:
        super().__init__(workflow_id, message)


class DBOSNonExistentWorkflowError(FieldsError):
    """No workflow has this id; `destination` says in which role it was looked for."""

    code = DBOSErrorCode.NonExistentWorkflowError.value
    fields = ("destination", "destination_id")
    template = "Non-existent {destination} workflow ID: {destination_id}"

    def __init__(self, destination: str, destination_id: str) -> None:
        super().__init__(destination, destination_id)

    @property
    def workflow_id(self) -> str:
        """The id that no workflow has."""
        return str(vars(self)["destination_id"])

    @workflow_id.setter
    def workflow_id(self, value: str) -> None:
        """Do nothing: records of 0.2 hold the id under this name, too."""


class MaxRecoveryAttemptsExceededError(FieldsError):
    """A workflow was started more often than its ``max_recovery_attempts`` allows."""

    code = DBOSErrorCode.MaxRecoveryAttemptsExceeded.value
    fields = ("workflow_id", "max_retries")
    template = (
        "Workflow {workflow_id} has exceeded its maximum of {max_retries} execution or recovery "
        "attempts. Further attempts to execute or recover it will fail: resume, fork or rewind it, "
        "or raise its max_recovery_attempts"
    )

    def __init__(self, wf_id: str, max_retries: int | None = None) -> None:
        super().__init__(wf_id, max_retries)
        if max_retries is None:
            self.message = self.message.replace("maximum of None", "maximum number of")
            self.args = (self.message,)


class DBOSNotAuthorizedError(FieldsError):
    """A role check failed."""

    code = DBOSErrorCode.NotAuthorized.value
    fields = ("msg",)
    template = "{msg}"

    def __init__(self, msg: str) -> None:
        super().__init__(msg)


class DBOSConflictingWorkflowError(FieldsError):
    """The id belongs to a workflow of another function, class or instance."""

    code = DBOSErrorCode.ConflictingWorkflowError.value
    fields = ("workflow_id", "detail")
    template = "Conflicting workflow invocation with the same ID ({workflow_id}): {detail}"

    def __init__(self, workflow_id: str, message: str | None = None) -> None:
        super().__init__(workflow_id, message)


class DBOSQueueDeduplicatedError(FieldsError):
    """An active workflow already holds this deduplication id on the queue."""

    code = DBOSErrorCode.QueueDeduplicated.value
    fields = ("workflow_id", "queue_name", "deduplication_id")
    template = (
        "Workflow {workflow_id} was deduplicated due to an existing workflow in queue {queue_name} "
        "with deduplication ID {deduplication_id}."
    )

    def __init__(self, workflow_id: str, queue_name: str, deduplication_id: str) -> None:
        super().__init__(workflow_id, queue_name, deduplication_id)


class DBOSAwaitedWorkflowCancelledError(FieldsError):
    """The awaited workflow was cancelled."""

    code = DBOSErrorCode.AwaitedWorkflowCancelled.value
    fields = ("workflow_id",)
    template = "Awaited workflow {workflow_id} was cancelled"

    def __init__(self, workflow_id: str) -> None:
        super().__init__(workflow_id)


class DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded(FieldsError):
    """The awaited workflow was started too often without finishing."""

    code = DBOSErrorCode.AwaitedWorkflowMaxRecoveryAttemptsExceeded.value
    fields = ("workflow_id",)
    template = "Awaited workflow {workflow_id} exceeded its maximum recovery attempts"

    def __init__(self, workflow_id: str) -> None:
        super().__init__(workflow_id)


class DBOSQueryTimeoutError(FieldsError):
    """A listing or an aggregate exceeded its time limit and was cancelled."""

    code = DBOSErrorCode.QueryTimeout.value
    fields = ("timeout_seconds",)
    template = (
        "This query was cancelled after exceeding its {timeout_seconds:g}s statement timeout. "
        "Narrow its filters, give a limit, or raise observability_query_timeout_sec."
    )

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(timeout_seconds)


class DBOSWorkflowIDInUseError(FieldsError):
    """The id is in use and the reuse policy is ``reject``."""

    code = DBOSErrorCode.WorkflowIDInUse.value
    fields = ("workflow_id", "workflow_status", "workflow_name")
    template = (
        "Workflow ID {workflow_id} is already in use by workflow {workflow_name} with status "
        "{workflow_status}."
    )

    def __init__(
        self, workflow_id: str, workflow_status: str = "", workflow_name: str = ""
    ) -> None:
        super().__init__(workflow_id, workflow_status, workflow_name)


class PortableWorkflowError(Exception):
    """An error that was recorded in the portable format, by any language."""

    def __init__(
        self, message: str, name: str, code: int | str | None = None, data: Any = None
    ) -> None:
        super().__init__(message, name, code, data)
        self.message = message
        self.name = name
        self.code = code
        self.data = data

    def __str__(self) -> str:
        return self.message

    def __repr__(self) -> str:
        names = ("message", "name", "code", "data")
        fields = ", ".join(f"{each}={getattr(self, each)!r}" for each in names)
        return f"PortableWorkflowError({fields})"


def is_workflow_id_in_use_error(e: BaseException) -> bool:
    """Whether an error says that a workflow id is in use, also as another language recorded it."""
    if isinstance(e, DBOSException):
        return e.dbos_error_code == DBOSErrorCode.WorkflowIDInUse.value
    return isinstance(e, PortableWorkflowError) and e.name == DBOSWorkflowIDInUseError.__name__
