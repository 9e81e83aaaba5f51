"""Types of the calls that start many workflows.

A type checker then knows that an atomic call returns handles alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol, TypeVar, cast, overload

from dboshub.workflows.engine.handles import WorkflowHandle, WorkflowHandleAsync
from dboshub.workflows.engine.operations.sending import SendMessage
from dboshub.workflows.engine.operations.sending_each import SendAnswers
from dboshub.workflows.engine.programs import Program
from dboshub.workflows.engine.runtime.bulk_answers import Answers
from dboshub.workflows.engine.runtime.workflow_call import WorkflowCall
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat as Format
from dboshub.workflows.engine.sync_async import (
    async_answers_form,
    async_form,
    sync_answers_form,
    sync_form,
)

R = TypeVar("R")
Calls = Iterable[WorkflowCall[R]]


class StartAll(Protocol):
    """Start workflows; returns a handle or an error for each."""

    @overload
    def __call__(self, calls: Calls[R], *, atomic: Literal[True]) -> list[WorkflowHandle[R]]: ...
    @overload
    def __call__(
        self, calls: Calls[R], *, atomic: bool = False
    ) -> list[WorkflowHandle[R] | Exception]: ...


class StartAllAsync(Protocol):
    """Start workflows, awaited."""

    @overload
    async def __call__(
        self, calls: Calls[R], *, atomic: Literal[True]
    ) -> list[WorkflowHandleAsync[R]]: ...
    @overload
    async def __call__(
        self, calls: Calls[R], *, atomic: bool = False
    ) -> list[WorkflowHandleAsync[R] | Exception]: ...


class EnqueueAll(Protocol):
    """Enqueue workflows by the name of a queue; returns a handle or an error for each."""

    @overload
    def __call__(
        self, queue_name: str, calls: Calls[R], *, atomic: Literal[True]
    ) -> list[WorkflowHandle[R]]: ...
    @overload
    def __call__(
        self, queue_name: str, calls: Calls[R], *, atomic: bool = False
    ) -> list[WorkflowHandle[R] | Exception]: ...


class EnqueueAllAsync(Protocol):
    """Enqueue workflows by the name of a queue, awaited."""

    @overload
    async def __call__(
        self, queue_name: str, calls: Calls[R], *, atomic: Literal[True]
    ) -> list[WorkflowHandleAsync[R]]: ...
    @overload
    async def __call__(
        self, queue_name: str, calls: Calls[R], *, atomic: bool = False
    ) -> list[WorkflowHandleAsync[R] | Exception]: ...


class SendBulk(Protocol):
    """Send messages, all or none; or else returns None or an error for each."""

    @overload
    def __call__(
        self,
        messages: list[SendMessage],
        *,
        serialization_type: Format | None = Format.DEFAULT,
        send_to_forks: bool = False,
        atomic: Literal[True] = True,
    ) -> None: ...
    @overload
    def __call__(
        self,
        messages: list[SendMessage],
        *,
        serialization_type: Format | None = Format.DEFAULT,
        send_to_forks: bool = False,
        atomic: Literal[False],
    ) -> SendAnswers: ...


class SendBulkAsync(Protocol):
    """Send messages, awaited."""

    @overload
    async def __call__(
        self,
        messages: list[SendMessage],
        *,
        serialization_type: Format | None = Format.DEFAULT,
        send_to_forks: bool = False,
        atomic: Literal[True] = True,
    ) -> None: ...
    @overload
    async def __call__(
        self,
        messages: list[SendMessage],
        *,
        serialization_type: Format | None = Format.DEFAULT,
        send_to_forks: bool = False,
        atomic: Literal[False],
    ) -> SendAnswers: ...


def send_bulk_form(define: Callable[..., Program[SendAnswers | None]]) -> SendBulk:
    """The sync form of a call that sends messages."""
    return cast("SendBulk", sync_form(define))


def async_send_bulk_form(call: SendBulk) -> SendBulkAsync:
    """The async form of a ``send_bulk_form``."""
    return cast("SendBulkAsync", async_form(cast("Any", call)))


def start_all_form(define: Callable[..., Program[Answers]]) -> StartAll:
    """The sync form of a call that starts workflows."""
    return cast("StartAll", sync_answers_form(define))


def async_start_all_form(call: StartAll) -> StartAllAsync:
    """The async form of a ``start_all_form``."""
    return cast("StartAllAsync", async_answers_form(cast("Any", call)))


def enqueue_all_form(define: Callable[..., Program[Answers]]) -> EnqueueAll:
    """The sync form of a call that enqueues workflows."""
    return cast("EnqueueAll", sync_answers_form(define))


def async_enqueue_all_form(call: EnqueueAll) -> EnqueueAllAsync:
    """The async form of an ``enqueue_all_form``."""
    return cast("EnqueueAllAsync", async_answers_form(cast("Any", call)))
