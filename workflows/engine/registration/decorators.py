"""The decorators ``@DBOS.workflow()``, ``@DBOS.step()`` and ``@DBOS.dbos_class()``."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from dboshub.workflows.engine.context import FRAME
from dboshub.workflows.engine.current_engine import executing_engine, is_launched
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.operations.steps import ShouldRetry, checked_policy, step
from dboshub.workflows.engine.programs import begin_when_awaited, mark_coroutine, run
from dboshub.workflows.engine.records import TEMP_WORKFLOW
from dboshub.workflows.engine.registration.arguments import (
    ValidateArgs,
    make_pydantic_args_validator,
    pydantic_args_validator,
)
from dboshub.workflows.engine.registration.decorated import check_function, with_parentheses
from dboshub.workflows.engine.registration.places import FUNCTION_NAME, STEP_MARK, WORKFLOW_MARK
from dboshub.workflows.engine.registration.registry import Registry, registry
from dboshub.workflows.engine.registration.roles import without_role_check
from dboshub.workflows.engine.registration.workflow import Workflow
from dboshub.workflows.engine.runtime.running import call
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat

logger = logging.getLogger("dboshub")

F = TypeVar("F", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


@with_parentheses("@DBOS.workflow()")
def workflow(
    *,
    name: str | None = None,
    max_recovery_attempts: int | None = 100,
    serialization_type: WorkflowSerializationFormat | None = None,
    validate_args: ValidateArgs | None = None,
    auto_upgrade: bool | None = None,
    suspend: bool | None = None,
    into: Registry = registry,
) -> Callable[[F], F]:
    """Register a function as a workflow; calling it runs it durably and returns its result.

    `validate_args` gets the arguments of a workflow that was enqueued or recovered, and returns
    those to call the function with; an error that it raises is the workflow's error. A workflow
    that was started more than `max_recovery_attempts` times without ending is dead-lettered; None
    sets no limit. `suspend` says whether it leaves memory in a long wait; None: unless its queue
    has limits. Raises DBOSException for `auto_upgrade`: work of an older version stays with it.
    """
    if auto_upgrade:
        raise DBOSException(
            "auto_upgrade is not supported: work of an older version waits for a process of that "
            "version, or for fork_workflow or rewind_workflow with an application_version"
        )

    def decorate(function: F) -> F:
        function, roles = without_role_check(function)
        registered = Workflow(
            name=check_function("workflow", function, name),
            function=function,
            is_async=inspect.iscoroutinefunction(function),
            max_recovery_attempts=max_recovery_attempts,
            suspend=suspend,
            serialization=serialization_type,
            required_roles=roles,
            validate_args=_validator(validate_args, function),
        )
        into.add(registered)
        _warn_if_late(registered, into)

        @functools.wraps(function)
        def begin(*args: Any, **kwargs: Any) -> Any:
            engine = executing_engine(registered.name)
            target, args = into.target_of_call(begin, args)
            begun = functools.partial(call, engine, target, args, kwargs)
            return begin_when_awaited(begun) if registered.is_async else run(begun())

        registered.decorated.add(begin)
        return cast(F, _marked(begin, WORKFLOW_MARK, registered, is_async=registered.is_async))

    return decorate


@with_parentheses("@DBOS.step()")
def durable_step(
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
    """Register a function as a step: in a workflow its outcome is recorded; elsewhere not.

    With `retries_allowed` a failed attempt is repeated up to `max_attempts` attempts. The pause
    is `interval_seconds`, multiplied by `backoff_rate` after each attempt, at most an hour, and
    `should_retry` may end the retries. `timeout_seconds` limits an attempt, and `preemptible`
    cancels it when the workflow is stopped: both need a coroutine function, else DBOSException.
    """

    def decorate(function: F) -> F:
        is_async = asyncio.iscoroutinefunction(function)
        policy = checked_policy(
            {
                "name": check_function("step", function, name),
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

        registered = into.add_step(policy.name, begin, is_async=is_async)
        return cast(F, _marked(begin, STEP_MARK, registered, is_async=is_async))

    return decorate


@with_parentheses("@DBOS.dbos_class()")
def dbos_class(class_name: str | None = None, into: Registry = registry) -> Callable[[C], C]:
    """Register a class, so that recovery finds the class and its instances."""

    def decorate(cls: C) -> C:
        into.receivers.add_class(cls, class_name or cls.__qualname__)
        return cls

    return decorate


class DBOSConfiguredInstance:
    """Base of classes with workflows as methods; recovery finds an instance by ``config_name``.

    The older name of this parameter is ``instance_name``.
    """

    def __init__(self, config_name: str | None = None, *, instance_name: str | None = None) -> None:
        """Raise TypeError unless exactly one name is given."""
        name = instance_name if config_name is None else config_name
        if name is None or (config_name is not None and instance_name is not None):
            raise TypeError("give config_name, or its older name instance_name")
        self.config_name = name
        registry.receivers.add_instance(self, name)
        if is_launched():
            logger.warning(
                "instance %r of %s was made after DBOS.launch(): make it before, so that recovery "
                "finds it",
                name,
                type(self).__qualname__,
            )


def _warn_if_late(workflow: Workflow, into: Registry) -> None:
    """What was recovered or claimed before it was registered could not run here."""
    if into is registry and is_launched():
        logger.warning(
            "workflow %r was registered after DBOS.launch(): import the module that defines it "
            "before, so that recovery finds it",
            workflow.name,
        )


def _validator(validate: ValidateArgs | None, function: Callable[..., Any]) -> ValidateArgs | None:
    if validate is pydantic_args_validator:
        return make_pydantic_args_validator(function)
    return validate


def _marked(
    function: Callable[..., Any], mark: str, registered: Workflow, *, is_async: bool
) -> Any:
    setattr(function, mark, registered)
    setattr(function, FUNCTION_NAME, registered.name.removeprefix(TEMP_WORKFLOW))
    return mark_coroutine(function) if is_async else function
