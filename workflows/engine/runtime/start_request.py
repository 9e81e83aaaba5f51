"""Requests to start a workflow, before and after their ids are drawn.

They are not frozen, because that would double the time to make one: nobody changes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.engine.identity import Identity
from dboshub.workflows.engine.options import StartOptions
from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.engine.serialization import WorkflowSerializationFormat


@dataclass(slots=True, kw_only=True)
class FunctionReference:
    """What a row says of the function to run. The function need not exist in this process."""

    name: str
    class_name: str | None = None
    config_name: str | None = None
    serialization: WorkflowSerializationFormat | None = None
    is_known: bool = False  # whether this process has it

    @classmethod
    def of(cls, target: Target) -> FunctionReference:
        return cls(
            name=target.workflow.name,
            class_name=target.class_name,
            config_name=target.config_name,
            serialization=target.workflow.serialization,
            is_known=True,
        )


@dataclass(slots=True)
class StartParameters:
    """What to start and how: a function, on a queue (None runs it here), with these options."""

    function: FunctionReference
    queue_name: str | None
    options: StartOptions
    identity: Identity | None = None  # None: the caller's


@dataclass(slots=True, kw_only=True)
class PreparedStart:
    """A start whose ids are drawn, on behalf of `identity`."""

    parameters: StartParameters
    identity: Identity
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    parent: Execution | None
    step_id: int  # of the parent; 0 without one
    workflow_id: str
    is_chosen: bool  # whether the caller chose the id
    reuse_policy: str

    @property
    def function(self) -> FunctionReference:
        return self.parameters.function

    @property
    def options(self) -> StartOptions:
        return self.parameters.options

    @property
    def queue_name(self) -> str | None:
        return self.parameters.queue_name
