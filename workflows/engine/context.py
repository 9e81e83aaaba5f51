"""The context of the current code: its workflow, its step, and calls of user code in it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from dboshub.workflows.engine.errors import DBOSException, ExecutionInterrupted
from dboshub.workflows.engine.identity import SCOPE, Identity, IdentityScope, current_identity
from dboshub.workflows.engine.observability.tracing import Span
from dboshub.workflows.engine.options import NO_OPTIONS, OPTIONS
from dboshub.workflows.engine.programs import Outcome

if TYPE_CHECKING:
    from dboshub.workflows.engine.runtime.execution import Execution

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True)
class StepStatus:
    """The step that is executed. Attempts count from zero, and are None without retries."""

    step_id: int
    current_attempt: int | None = None
    max_attempts: int | None = None


class Frame(NamedTuple):
    """A workflow body, or a step inside one."""

    execution: Execution
    step: StepStatus | None = None
    span: Span | None = None


FRAME: ContextVar[Frame | None] = ContextVar("dboshub_frame", default=None)


def frame() -> Frame | None:
    """The frame of the current code, or None outside any workflow."""
    return FRAME.get()


def numbered_refusal(define: Callable[P, R]) -> Callable[P, R]:
    """Make a call draw its step id also when it refuses its arguments, as in the dbos library.

    So later steps have the same ids there and here, and each can continue workflows of the other.
    """

    @functools.wraps(define)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        current = FRAME.get()
        if current is None or current.step is not None:
            return define(*args, **kwargs)
        drawn = current.execution.counter
        try:
            return define(*args, **kwargs)
        except Exception:
            if current.execution.counter == drawn:
                current.execution.next_id()
            raise

    return call


def stopped_here(message: str) -> BaseException:
    """The error for a call that comes too late, because its engine stops or has stopped.

    Within a workflow it is control flow that ``except Exception`` does not catch.
    """
    current = FRAME.get()
    if current is None:
        return DBOSException(message)
    return ExecutionInterrupted(current.execution.workflow_id)


def workflow_frame(
    call: str, *, refusal_in_step: Callable[[str], Exception] = DBOSException
) -> Frame:
    """The frame of the workflow body that makes this call.

    Raises DBOSException outside a workflow, and `refusal_in_step` within a step.
    """
    current = FRAME.get()
    if current is None:
        raise DBOSException(f"{call}() must be called from within a workflow")
    if current.step is not None:
        raise refusal_in_step(f"{call}() must be called from within a workflow, not from its step")
    return current


class FramedCall:
    """The effect of calling user code in a frame; gives its outcome.

    A BaseException that is no Exception propagates.
    """

    __slots__ = ("_args", "_frame", "_function", "_identity", "_kwargs", "_runs_after_user_code")

    def __init__(
        self,
        frame: Frame,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        identity: Identity | None = None,
        *,
        runs_after_user_code: bool = True,
    ) -> None:
        """Call the engine's ``after_user_code`` hook after a step, if `runs_after_user_code`."""
        self._runs_after_user_code = runs_after_user_code and frame.step is not None
        self._frame = frame
        self._function = function
        self._args = args
        self._kwargs = kwargs
        self._identity = identity

    def block(self) -> Outcome:
        tokens = self._enter()
        try:
            value = self._function(*self._args, **self._kwargs)
            if inspect.iscoroutine(value):
                value = self._frame.execution.engine.loop.run(value)
            return Outcome(value, None)
        except Exception as error:
            return Outcome(None, error)
        finally:
            _leave(tokens)
            if self._runs_after_user_code:
                self._frame.execution.engine.after_user_code()

    async def wait(self) -> Outcome:
        # Before as well: a task that was cancelled may have left something open.
        await self._tidy()
        tokens = self._enter()
        try:
            value = self._function(*self._args, **self._kwargs)
            return Outcome(await value if inspect.isawaitable(value) else value, None)
        except Exception as error:
            return Outcome(None, error)
        finally:
            _leave(tokens)
            await self._tidy()

    async def _tidy(self) -> None:
        tidy = self._frame.execution.engine.around_async_step
        if self._runs_after_user_code and tidy is not None:
            await tidy()

    def _enter(self) -> list[tuple[ContextVar[Any], Token[Any]]]:
        # Options of the calling code do not apply to what the called code starts.
        tokens = [(FRAME, FRAME.set(self._frame)), (OPTIONS, OPTIONS.set(NO_OPTIONS))]
        # An identity that the called code sets ends with it.
        scope = IdentityScope(self._identity or current_identity())
        tokens.append((SCOPE, SCOPE.set(scope)))
        if self._frame.span is not None:
            tokens.append(self._frame.span.activate())
        return tokens  # type: ignore[return-value]


def _leave(tokens: list[tuple[ContextVar[Any], Token[Any]]]) -> None:
    for variable, token in tokens:
        variable.reset(token)
