"""Registry of workflows by name, of classes, and of configured instances.

Registration happens at import, before any engine exists.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from dboshub.workflows.engine.errors import DBOSException, DBOSWorkflowFunctionNotFoundError
from dboshub.workflows.engine.records import TEMP_WORKFLOW
from dboshub.workflows.engine.registration.arguments import (
    ValidateArgs,
    coerced,
    positional_parameters,
)
from dboshub.workflows.engine.serialization import PORTABLE, WorkflowSerializationFormat
from dboshub.workflows.engine.unserializable import Arguments

logger = logging.getLogger("dboshub")

WORKFLOW_MARK = "__dboshub_workflow__"
STEP_MARK = "__dboshub_step__"
CLASS_MARK = "__dboshub_class__"


class Binding(Enum):
    """What a workflow function is bound to; its row names the class and the instance."""

    FUNCTION = "function"
    STATIC = "static method"
    CLASS = "class method"
    INSTANCE = "instance method"


@dataclass(slots=True)
class Workflow:
    """A registered workflow function."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    max_recovery_attempts: int | None = 100
    serialization: WorkflowSerializationFormat | None = None
    required_roles: tuple[str, ...] | None = None
    validate_args: ValidateArgs | None = None
    binding: Binding = Binding.FUNCTION
    class_name: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A workflow and the receiver it is called on."""

    workflow: Workflow
    receiver: Any = None

    @property
    def class_name(self) -> str | None:
        bound = self.workflow.binding in (Binding.CLASS, Binding.INSTANCE)
        return self.workflow.class_name if bound else None

    @property
    def config_name(self) -> str | None:
        if self.workflow.binding is not Binding.INSTANCE:
            return None
        name = getattr(self.receiver, "config_name", None)
        return None if name is None else str(name)

    def arguments(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of the function, with the receiver as the first."""
        has_receiver = self.workflow.binding in (Binding.CLASS, Binding.INSTANCE)
        return (self.receiver, *args) if has_receiver else args


@dataclass(slots=True)
class Registry:
    """All registered functions of a process. Tests may make registries of their own."""

    workflows: dict[str, Workflow] = field(default_factory=dict)
    classes: dict[str, type] = field(default_factory=dict)
    instances: dict[tuple[str, str], Any] = field(default_factory=dict)

    def add(self, workflow: Workflow) -> None:
        """Register a workflow. Raises DBOSException if another file registered its name."""
        known = self.workflows.get(workflow.name)
        if known is not None and not _same_place(known.function, workflow.function):
            raise DBOSException(
                f"two workflows are called {workflow.name!r}: one in "
                f"{known.function.__module__}, one in {workflow.function.__module__}. "
                "Give one of them another name: @DBOS.workflow(name=…)"
            )
        if known is not None:
            logger.warning("workflow %r was registered again and replaced", workflow.name)
        self.workflows[workflow.name] = workflow

    def add_step(self, name: str, function: Callable[..., Any], *, is_async: bool) -> None:
        """Register the workflow that runs a step alone, when the step is enqueued or started."""
        wrapped = TEMP_WORKFLOW + name
        self.workflows[wrapped] = Workflow(wrapped, function, is_async)

    def add_class(self, cls: type, name: str) -> None:
        """Register a class under a name. Raises DBOSException if another class has that name."""
        if name in self.classes and not _same_place(self.classes[name], cls):
            raise DBOSException(
                f"two classes are registered as {name!r}: give one of them another name: "
                "@DBOS.dbos_class(class_name=…)"
            )
        self.classes[name] = cls
        setattr(cls, CLASS_MARK, name)
        for attribute in vars(cls).values():
            workflow = getattr(_plain(attribute), WORKFLOW_MARK, None)
            if workflow is not None:
                workflow.class_name = name
                workflow.binding = _binding(attribute)

    def add_instance(self, instance: Any, config_name: str) -> None:
        """Register an instance of a class. Raises DBOSException if its name is in use."""
        class_name = getattr(type(instance), CLASS_MARK, type(instance).__qualname__)
        if (class_name, config_name) in self.instances:
            raise DBOSException(
                f"class {class_name} already has an instance with config_name {config_name!r}"
            )
        self.instances[class_name, config_name] = instance

    def target(self, function: Callable[..., Any]) -> Target:
        """The workflow of a decorated function or bound method. Raises DBOSException."""
        workflow = getattr(function, WORKFLOW_MARK, None)
        if workflow is None and hasattr(function, STEP_MARK):
            return Target(self.workflows[TEMP_WORKFLOW + getattr(function, STEP_MARK)])
        if workflow is None:
            name = getattr(function, "__qualname__", repr(function))
            raise DBOSException(f"{name} is not a workflow: decorate it with @DBOS.workflow()")
        return Target(workflow, getattr(function, "__self__", None))

    def find(
        self, workflow_id: str, name: str, class_name: str | None, config_name: str | None
    ) -> Target:
        """The target that a row names. Raises DBOSWorkflowFunctionNotFoundError."""
        workflow = self.workflows.get(name)
        if workflow is None:
            raise DBOSWorkflowFunctionNotFoundError(workflow_id, name, _hint(self.workflows))
        if workflow.binding is Binding.CLASS:
            return Target(workflow, self.classes[class_name or workflow.class_name or ""])
        if workflow.binding is not Binding.INSTANCE:
            return Target(workflow)
        key = (class_name or workflow.class_name or "", config_name or "")
        if key not in self.instances:
            raise DBOSWorkflowFunctionNotFoundError(
                workflow_id,
                name,
                f": create the instance {key[1]!r} of class {key[0]} before DBOS.launch()",
            )
        return Target(workflow, self.instances[key])

    def arguments(self, name: str) -> Arguments:
        """How to tell of the arguments of a workflow, which may be unknown in this process."""

        def parameters() -> list[str]:
            workflow = self.workflows.get(name)
            if workflow is None:
                return []
            names = positional_parameters(workflow.function)
            return names[1:] if workflow.binding in (Binding.CLASS, Binding.INSTANCE) else names

        return Arguments(f"workflow {name!r}", parameters)

    def version(self, application_name: str, library_version: str) -> str:
        """The application version computed from the source of every workflow."""
        digest = hashlib.md5(usedforsecurity=False)
        try:
            sources = sorted(_source(each) for each in self.workflows.values())
        except (OSError, TypeError):
            return f"DEFAULT_VERSION-{application_name}"
        for part in (*sources, library_version, application_name):
            digest.update(part.encode())
        return digest.hexdigest()

    def clear(self) -> None:
        """Remove all registrations."""
        self.workflows.clear()
        self.classes.clear()
        self.instances.clear()


registry = Registry()


def validator_of(workflow: Workflow, serialization: str | None) -> ValidateArgs | None:
    """The validation of a row's arguments before the call, or None."""
    if workflow.validate_args is not None or serialization != PORTABLE:
        return workflow.validate_args
    return functools.partial(coerced, workflow.function)


def _same_place(first: Any, second: Any) -> bool:
    if first.__module__ == second.__module__:
        return True
    try:
        return inspect.getfile(first) == inspect.getfile(second)
    except (OSError, TypeError):
        return False


def _source(workflow: Workflow) -> str:
    """The text that the version is computed from. Of a step that is only its name: an edited step
    keeps the version, so workflows under way continue.
    """
    if workflow.name.startswith(TEMP_WORKFLOW):
        return workflow.name
    return inspect.getsource(workflow.function)


def _plain(attribute: Any) -> Any:
    return getattr(attribute, "__func__", attribute)


def _binding(attribute: Any) -> Binding:
    if isinstance(attribute, staticmethod):
        return Binding.STATIC
    return Binding.CLASS if isinstance(attribute, classmethod) else Binding.INSTANCE


def _hint(known: dict[str, Workflow]) -> str:
    names = ", ".join(sorted(name for name in known if not name.startswith(TEMP_WORKFLOW))[:10])
    return f". Import the module that defines it; registered are: {names or 'none'}"
