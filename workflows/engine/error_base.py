"""Bases of the errors that the engine raises, and their codes."""

from __future__ import annotations

from enum import Enum
from typing import Any, ClassVar, Self


class DBOSErrorCode(Enum):
    """The codes of errors, which every DBOS library shares."""

    ConflictingIDError = 1
    RecoveryError = 2
    InitializationError = 3
    WorkflowFunctionNotFound = 4
    NonExistentWorkflowError = 5
    MaxRecoveryAttemptsExceeded = 6
    MaxStepRetriesExceeded = 7
    NotAuthorized = 8
    ConflictingWorkflowError = 9
    WorkflowCancelled = 10
    UnexpectedStep = 11
    QueueDeduplicated = 12
    AwaitedWorkflowCancelled = 13
    AwaitedWorkflowMaxRecoveryAttemptsExceeded = 14
    PatchNondeterminism = 15
    StreamTimeout = 16
    StreamNondeterminism = 17
    StepTimeout = 18
    QueryTimeout = 26
    WorkflowIDInUse = 27
    StepNondeterminism = 28


def numbered(code: int | None, message: str) -> str:
    """The text of an error, in the words of ``dbos``; some of ours have no code."""
    return f"DBOS Error: {message}" if code is None else f"DBOS Error {code}: {message}"


class DBOSException(Exception):
    """Base class of the errors that the engine raises on purpose."""

    code: int | None = None

    def __init__(self, message: str, dbos_error_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.dbos_error_code = self.code if dbos_error_code is None else dbos_error_code

    def __str__(self) -> str:
        return numbered(self.dbos_error_code, self.message)


class DBOSBaseException(BaseException):
    """Control flow of the engine: ``except Exception`` does not catch it."""

    code: int | None = None

    def __init__(self, message: str, dbos_error_code: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.dbos_error_code = self.code if dbos_error_code is None else dbos_error_code

    def __str__(self) -> str:
        return numbered(self.dbos_error_code, self.message)


class FieldsError(DBOSException):
    """An error with a message made from its fields, which are its attributes."""

    fields: ClassVar[tuple[str, ...]] = ()
    template: ClassVar[str] = ""

    def __init__(self, *values: Any) -> None:
        given = dict(zip(self.fields, values, strict=True))
        super().__init__(self.template.format(**given))
        vars(self).update(given)

    def advised(self, advice: str) -> Self:
        """This error, with what to do about it after its message."""
        self.message += f": {advice}"
        self.args = (self.message,)
        return self

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The values of all fields, in the order in which the class takes them."""
        return tuple(getattr(self, each) for each in self.fields)

    @inputs.setter
    def inputs(self, value: tuple[Any, ...]) -> None:
        """Do nothing: records of dbos hold them beside the fields."""

    def __reduce__(self) -> tuple[Any, ...]:
        # From its fields: the message is no argument of the class.
        return type(self), self.inputs, {**vars(self)}
