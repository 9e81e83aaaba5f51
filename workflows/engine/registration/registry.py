"""Registry of workflows by name, of classes, and of configured instances.

Registration happens at import, before any engine exists.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from dboshub.workflows.engine.errors import DBOSWorkflowFunctionNotFoundError
from dboshub.workflows.engine.records import TEMP_WORKFLOW
from dboshub.workflows.engine.registration import clashes
from dboshub.workflows.engine.registration.arguments import (
    ValidateArgs,
    coerced,
    positional_parameters,
)
from dboshub.workflows.engine.registration.receivers import (
    Receivers,
    class_name_of,
    is_receiver,
)
from dboshub.workflows.engine.registration.workflow import (
    Binding,
    NotRegisteredError,
    Workflow,
    registered_of,
)
from dboshub.workflows.engine.serialization import PORTABLE
from dboshub.workflows.engine.unserializable import Arguments

NO_WORKFLOW = "<NONE>"  # the id in an error about a function, as in the dbos library


@dataclass(frozen=True, slots=True)
class Target:
    """A workflow and the receiver it is called on, which may be known by its class alone."""

    workflow: Workflow
    receiver: Any = None

    @property
    def class_name(self) -> str | None:
        if self.receiver is None:
            return self.workflow.class_name if self.workflow.binding is Binding.CLASS else None
        return class_name_of(self.receiver)

    @property
    def config_name(self) -> str | None:
        is_instance = self.receiver is not None and not isinstance(self.receiver, type)
        return str(self.receiver.config_name) if is_instance else None

    def arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of the function, with the receiver as the first."""
        return args if self.receiver is None else (self.receiver, *args)


@dataclass(slots=True)
class Registry:
    """All registered functions of a process. Tests may make registries of their own."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    # By the name of the workflow that runs the step alone, then by module.
    steps: dict[str, dict[str, Workflow]] = field(default_factory=dict)
    receivers: Receivers = field(default_factory=Receivers)

    def add(self, workflow: Workflow) -> None:
        """Register a workflow. Raises DBOSException if another function has its name."""
        clashes.register(workflow, self.workflows)

    def add_step(self, name: str, function: Callable[..., Any], *, is_async: bool) -> Workflow:
        """Register the workflow that runs a step alone, when the step is enqueued or started.

        Steps of one name in several modules are told apart by their modules.
        """
        step = Workflow(TEMP_WORKFLOW + name, function, is_async)
        self.steps.setdefault(step.name, {})[function.__module__] = step
        return step

    def target(self, function: Callable[..., Any]) -> Target:
        """The workflow of a decorated function or bound method. Raises DBOSException."""
        return self._target(registered_of(function), function, getattr(function, "__self__", None))

    def target_of_call(
        self, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> tuple[Target, tuple[Any, ...]]:
        """What a call runs, and its arguments without the receiver.

        Raises DBOSException for a function that is no workflow or step, or that another one
        replaced, or whose receiver is not registered: it could not be found again.
        """
        workflow = registered_of(function)
        receiver = getattr(function, "__self__", None)
        if receiver is None and workflow is not None:
            if args and is_receiver(args[0], workflow):
                receiver, args = args[0], args[1:]
            elif workflow.is_bound:
                raise TypeError(f"{workflow.name} is a method, and its receiver is not given")
        return self._target(workflow, function, receiver), args

    def find(
        self, workflow_id: str, name: str, class_name: str | None, config_name: str | None
    ) -> Target:
        """The target that a row names. Raises DBOSWorkflowFunctionNotFoundError."""
        try:
            workflow = self._named(name)
            return Target(workflow, self.receivers.named(workflow, class_name, config_name))
        except NotRegisteredError as missing:
            reason = str(missing) or _hint(self.workflows)
            raise DBOSWorkflowFunctionNotFoundError(
                workflow_id, f"{name} is not registered here{reason}"
            ) from None

    def _target(self, workflow: Workflow | None, function: Any, receiver: Any) -> Target:
        if workflow is None:
            name = getattr(function, "__qualname__", repr(function))
            raise DBOSWorkflowFunctionNotFoundError(
                NO_WORKFLOW,
                f"{name} is not a registered workflow function: decorate it with @DBOS.workflow()",
            )
        if receiver is not None:
            self.receivers.check(receiver)
        return Target(clashes.current(workflow, self.workflows, self.steps), receiver)

    def _named(self, name: str) -> Workflow:
        return self.workflows.get(name) or clashes.step_named(name, self.steps)

    def arguments(self, name: str) -> Arguments:
        """How to tell of the arguments of a workflow, which may be unknown in this process."""

        def parameters() -> list[str]:
            try:
                workflow = self._named(name)
            except NotRegisteredError:
                return []
            names = positional_parameters(workflow.function)
            return names[1:] if workflow.is_bound else names

        return Arguments(f"workflow {name!r}", parameters)

    def version(self, application_name: str, library_version: str) -> str:
        """The application version computed from the source of every workflow."""
        digest = hashlib.md5(usedforsecurity=False)
        try:
            # Of a step only the name counts: an edited step keeps the version, so that workflows
            # under way continue.
            sources = sorted([*(each.source() for each in self.workflows.values()), *self.steps])
        except (OSError, TypeError):
            return f"DEFAULT_VERSION-{application_name}"
        for part in (*sources, library_version, application_name):
            digest.update(part.encode())
        return digest.hexdigest()

    def clear(self) -> None:
        """Remove all registrations."""
        self.workflows.clear()
        self.steps.clear()
        self.receivers.clear()


registry = Registry()


def validator_of(workflow: Workflow, serialization: str | None) -> ValidateArgs | None:
    """The validation of a row's arguments before the call, or None."""
    if workflow.validate_args is not None or serialization != PORTABLE:
        return workflow.validate_args
    return functools.partial(coerced, workflow.function)


def _hint(known: dict[str, Workflow]) -> str:
    names = ", ".join(sorted(known)[:10])
    return f". Import the module that defines it; registered are: {names or 'none'}"
