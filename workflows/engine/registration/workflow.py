"""A registered workflow function, and what it is bound to."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from weakref import WeakSet

from dboshub.workflows.engine.registration.arguments import ValidateArgs
from dboshub.workflows.engine.registration.places import STEP_MARK, WORKFLOW_MARK
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat


class NotRegisteredError(Exception):
    """This process lacks what a row names. The message, if there is one, says what to do."""


class Binding(Enum):
    """What a workflow function is bound to; its row names the class and the instance."""

    FUNCTION = "function"
    STATIC = "static method"
    CLASS = "class method"
    INSTANCE = "instance method"


@dataclass(slots=True, eq=False, weakref_slot=True)
class Workflow:
    """A registered workflow function."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    max_recovery_attempts: int | None = 100
    suspend: bool | None = None  # whether it leaves memory while it waits; None: by its queue
    serialization: WorkflowSerializationFormat | None = None
    required_roles: tuple[str, ...] | None = None
    validate_args: ValidateArgs | None = None
    # Known once the class of a method is registered; until then a method counts as a function.
    binding: Binding = Binding.FUNCTION
    class_name: str | None = None
    # The decorated functions that still exist, so that they can be called or started; more than
    # one if the same definition was executed again.
    decorated: WeakSet[Callable[..., Any]] = field(default_factory=WeakSet)
    _source: str | None = field(default=None, init=False, repr=False)

    @property
    def is_bound(self) -> bool:
        return self.binding in (Binding.CLASS, Binding.INSTANCE)

    def source(self) -> str:
        """The source of the function, read once: what runs stays, though its file is edited.

        Raises OSError and TypeError where there is none.
        """
        if self._source is None:
            self._source = inspect.getsource(self.function)
        return self._source


def registered_of(function: Any) -> Workflow | None:
    """The registration that a decorated function or method carries, or None."""
    carried = getattr(function, WORKFLOW_MARK, None) or getattr(function, STEP_MARK, None)
    return carried if isinstance(carried, Workflow) else None


def binding_of(attribute: Any) -> Binding:
    """The binding of a function, by the attribute of its class."""
    if isinstance(attribute, staticmethod):
        return Binding.STATIC
    return Binding.CLASS if isinstance(attribute, classmethod) else Binding.INSTANCE
