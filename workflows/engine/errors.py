"""All errors that the engine raises on purpose, with the names and codes of DBOS.

    DBOSException
    └── DBOSRecoveryError, DBOSInitializationError, DBOSWorkflowFunctionNotFoundError, …
    DBOSBaseException            control flow that user code must not swallow
    ├── DBOSWorkflowConflictIDError   this execution no longer owns its workflow
    ├── DBOSWorkflowCancelledError    the workflow was cancelled
    ├── ExecutionInterrupted          this process is stopping; nothing is recorded
    └── ResourcesExhausted            this process cannot start a thread now; nothing is recorded

Errors keep their fields as positional ``args``, because pickle restores an exception from them.
"""

from __future__ import annotations

from typing import Any


class DBOSException(Exception):
    """Base class of the errors that the engine raises on purpose."""

    code: int | None = None

    def __init__(self, message: str, dbos_error_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.dbos_error_code = self.code if dbos_error_code is None else dbos_error_code
        self.status_uuid: str | None = None

    def __str__(self) -> str:
        code = "" if self.dbos_error_code is None else f" {self.dbos_error_code}"
        return f"DBOS Error{code}: {self.message}"


class DBOSBaseException(BaseException):
    """Control flow of the engine: ``except Exception`` does not catch it."""

    code: int | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.dbos_error_code = self.code

    def __str__(self) -> str:
        code = "" if self.dbos_error_code is None else f" {self.dbos_error_code}"
        return f"DBOS Error{code}: {self.message}"


class FieldsError(DBOSException):
    """An error with a message made from its fields, which are its ``args``."""

    template = "{0}"

    def __init__(self, *fields: Any) -> None:
        super().__init__(self.template.format(*fields))
        self.args = fields


class DBOSWorkflowConflictIDError(DBOSBaseException):
    """This execution no longer owns the workflow's row; another execution continues it."""

    code = 1

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"This execution no longer owns workflow {workflow_id}")
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


class ResourcesExhausted(DBOSBaseException):
    """This process cannot start a thread or an event loop now: the workflow is enqueued again."""


class DBOSRecoveryError(FieldsError):
    """A dequeued or recovered workflow cannot be run."""

    code = 2
    template = "Workflow {0} cannot be run: {1}"

    def __init__(self, workflow_id: str, reason: str) -> None:
        super().__init__(workflow_id, reason)


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

    code = 4
    template = "Workflow {0} needs the function {1}, which is not registered here{2}"

    def __init__(self, workflow_id: str, name: str, hint: str = "") -> None:
        super().__init__(workflow_id, name, hint)


class DBOSNonExistentWorkflowError(FieldsError):
    """No workflow has this id."""

    code = 5
    template = "There is no workflow with id {1} ({0})"

    def __init__(self, role: str, workflow_id: str) -> None:
        super().__init__(role, workflow_id)
        self.workflow_id = workflow_id


class MaxRecoveryAttemptsExceededError(FieldsError):
    """A workflow was started more often than its ``max_recovery_attempts`` allows."""

    code = 6
    template = "Workflow {0} was started more than {1} times without ending"

    def __init__(self, workflow_id: str, attempts: int) -> None:
        super().__init__(workflow_id, attempts)


class DBOSMaxStepRetriesExceeded(FieldsError):
    """Every allowed attempt of a step failed; ``errors`` lists what each one raised."""

    code = 7
    template = "Step {0} has exceeded its maximum of {1} retries"

    def __init__(self, step_name: str, max_retries: int, errors: list[Exception]) -> None:
        super().__init__(step_name, max_retries, errors)
        self.errors = errors


class DBOSNotAuthorizedError(DBOSException):
    """A role check failed."""

    code = 8


class DBOSConflictingWorkflowError(FieldsError):
    """The id belongs to a workflow of another function, class or instance."""

    code = 9
    template = "Workflow id {0} is already used: {1}"

    def __init__(self, workflow_id: str, reason: str) -> None:
        super().__init__(workflow_id, reason)


class DBOSUnexpectedStepError(FieldsError):
    """A replay found another step under this id: the code changed while the workflow ran.

    Deploy the old code to finish the workflow, or fork it from a step that both versions share.
    """

    code = 11
    template = (
        "Workflow {0}: step {1} is called {2!r} by the code, but {3!r} was recorded. Either the "
        "workflow is not deterministic, or its code changed: finish it with the version that "
        "began it, or fork it from an earlier step"
    )

    def __init__(self, workflow_id: str, step_id: int, expected: str, recorded: str) -> None:
        super().__init__(workflow_id, step_id, expected, recorded)


class DBOSQueueDeduplicatedError(FieldsError):
    """An active workflow already holds this deduplication id on the queue."""

    code = 12
    template = "Workflow {0}: queue {1} already has an active workflow with deduplication id {2}"

    def __init__(self, workflow_id: str, queue_name: str, deduplication_id: str) -> None:
        super().__init__(workflow_id, queue_name, deduplication_id)
        self.workflow_id = workflow_id
        self.queue_name = queue_name
        self.deduplication_id = deduplication_id


class DBOSAwaitedWorkflowCancelledError(FieldsError):
    """The awaited workflow was cancelled."""

    code = 13
    template = "Awaited workflow {0} was cancelled"

    def __init__(self, workflow_id: str) -> None:
        super().__init__(workflow_id)
        self.workflow_id = workflow_id


class DBOSAwaitedWorkflowMaxRecoveryAttemptsExceeded(FieldsError):
    """The awaited workflow was started too often without finishing."""

    code = 14
    template = "Awaited workflow {0} exceeded its recovery attempts"

    def __init__(self, workflow_id: str) -> None:
        super().__init__(workflow_id)
        self.workflow_id = workflow_id


class DBOSPatchNondeterminismError(FieldsError):
    """Another durable call drew a step id while a patch read its own."""

    code = 15
    template = (
        "Workflow {0}: {1} ran concurrently with other durable calls, so its step id is not the "
        "same in every execution: await it alone"
    )

    def __init__(self, workflow_id: str, marker: str) -> None:
        super().__init__(workflow_id, marker)


class DBOSStreamTimeoutError(DBOSException):
    """No stream value came within the timeout."""

    code = 16


class DBOSStreamNondeterminismError(DBOSException):
    """A replay read another stream or offset than the recorded one."""

    code = 17


class DBOSStepTimeoutError(DBOSException):
    """An attempt of an async step took longer than its ``timeout_seconds``."""

    code = 18


class DBOSQueryTimeoutError(FieldsError):
    """A listing or an aggregate exceeded its time limit and was cancelled."""

    code = 26
    template = (
        "The query took longer than {0:g} s and was cancelled: narrow its filters, give a limit, "
        "or raise observability_query_timeout_sec"
    )

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)


class DBOSWorkflowIDInUseError(FieldsError):
    """The id is in use and the reuse policy is ``reject``."""

    code = 27
    template = "Workflow id {0} is already in use"

    def __init__(self, workflow_id: str) -> None:
        super().__init__(workflow_id)


class DBOSStepNondeterminismError(FieldsError):
    """One execution recorded two different outcomes for one step id."""

    code = 28
    template = "Workflow {0} recorded step {1} twice with different outcomes ({2})"

    def __init__(self, workflow_id: str, step_id: int, name: str) -> None:
        super().__init__(workflow_id, step_id, name)


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
