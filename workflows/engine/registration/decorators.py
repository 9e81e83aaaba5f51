"""What ``@DBOS.workflow()``, ``@DBOS.step()`` and ``@DBOS.dbos_class()`` make of functions."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.current_engine import executing_engine
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.operations.steps import ShouldRetry, checked_policy, step
from dboshub.workflows.engine.programs import begin_when_awaited, mark_coroutine, run
from dboshub.workflows.engine.registration.arguments import (
    ValidateArgs,
    make_pydantic_args_validator,
    pydantic_args_validator,
)
from dboshub.workflows.engine.registration.registry import (
    STEP_MARK,
    WORKFLOW_MARK,
    Binding,
    Registry,
    Target,
    Workflow,
    registry,
)
from dboshub.workflows.engine.registration.roles import without_role_check
from dboshub.workflows.engine.runtime.running import call
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

_BOUND = (Binding.CLASS, Binding.INSTANCE)


def workflow(  # the public signature
    *,
    name: str | None = None,
    max_recovery_attempts: int | None = 100,
    serialization_type: WorkflowSerializationFormat | None = None,
    validate_args: ValidateArgs | None = None,
    auto_upgrade: bool | None = None,
    into: Registry = registry,
) -> Callable[[F], F]:
    """Register a function as a workflow; calling it runs it durably and returns its result.

    `validate_args` is given the arguments of rows that were queued or recovered, and returns
    those to call with; what it raises is the workflow's error. Raises DBOSException for
    `auto_upgrade`: no work is moved to a newer version unasked.
    """
    if auto_upgrade:
        raise DBOSException(
            "auto_upgrade is not supported: work of an older version waits for a process of that "
            "version, or for fork_workflow or rewind_workflow with an application_version"
        )

    def decorate(function: F) -> F:
        function, roles = without_role_check(function)
        registered = Workflow(
            name=name or function.__qualname__,
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            max_recovery_attempts=max_recovery_attempts,
            serialization=serialization_type,
            required_roles=roles,
            validate_args=_validator(validate_args, function),
        )
        into.add(registered)

        @functools.wraps(function)
        def begin(*args: Any, **kwargs: Any) -> Any:
            receiver = None
            if registered.binding in _BOUND:
                receiver, *rest = args
                args = tuple(rest)
            engine = executing_engine(registered.name)
            begun = functools.partial(call, engine, Target(registered, receiver), args, kwargs)
            return begin_when_awaited(begun) if registered.is_async else run(begun())

        return cast(F, _marked(begin, WORKFLOW_MARK, registered, is_async=registered.is_async))

    return decorate


def durable_step(  # noqa: PLR0913  # the public signature
    *,
    name: str | None = None,
    retries_allowed: bool = False,
    interval_seconds: float = 1.0,
    max_attempts: int = 3,
    backoff_rate: float = 2.0,
    should_retry: ShouldRetry | None = None,
    preemptible: bool = False,
    timeout_seconds: float | None = None,
    into: Registry = registry,
) -> Callable[[F], F]:
    """Register a function as a step: recorded once inside a workflow, plain elsewhere."""

    def decorate(function: F) -> F:
        is_async = asyncio.iscoroutinefunction(function)
        policy = checked_policy(
            {
                "name": name or function.__qualname__,
                "retries_allowed": retries_allowed,
                "interval_seconds": interval_seconds,
                "max_attempts": max_attempts,
                "backoff_rate": backoff_rate,
                "should_retry": should_retry,
                "preemptible": preemptible,
                "timeout_seconds": timeout_seconds,
            },
            function,
        )

        @functools.wraps(function)
        def begin(*args: Any, **kwargs: Any) -> Any:
            current = FRAME.get()
            if current is None or current.step is not None:
                return function(*args, **kwargs)
            begun = functools.partial(step, current.execution, policy, function, args, kwargs)
            return begin_when_awaited(begun) if is_async else run(begun())

        into.add_step(policy.name, begin, is_async=is_async)
        return cast(F, _marked(begin, STEP_MARK, policy.name, is_async=is_async))

    return decorate


def dbos_class(class_name: str | None = None, into: Registry = registry) -> Callable[[C], C]:
    """Register a class, so that recovery finds the class and instances its workflows ran on."""

    def decorate(cls: C) -> C:
        into.add_class(cls, class_name or cls.__qualname__)
        return cls

    return decorate


class DBOSConfiguredInstance:
    """Base of classes whose instances run workflows; recovery finds them by ``config_name``.

    Its older name is ``instance_name``.
    """

    def __init__(self, config_name: str | None = None, *, instance_name: str | None = None) -> None:
        """Raise TypeError unless exactly one name is given."""
        name = instance_name if config_name is None else config_name
        if name is None or (config_name is not None and instance_name is not None):
            raise TypeError("give config_name, or its older name instance_name")
        self.config_name = name
        registry.add_instance(self, name)


def _validator(validate: ValidateArgs | None, function: Callable[..., Any]) -> ValidateArgs | None:
    if validate is pydantic_args_validator:
        return make_pydantic_args_validator(function)
    return validate


def _marked(function: Callable[..., Any], mark: str, value: Any, *, is_async: bool) -> Any:
    setattr(function, mark, value)
    return mark_coroutine(function) if is_async else function
