"""Whether a function can take the arguments that a schedule gives to each run."""

from __future__ import annotations

import inspect

from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.registration.workflow import Binding

# What a run is given: by ``@DBOS.scheduled``, and by ``DBOS.create_schedule``.
FOR_DECORATOR = ("scheduled_at: datetime", "started_at: datetime")
FOR_CONTEXT = ("scheduled_at: datetime", "context")


def signature_problem(target: Target, *parameters: str) -> str | None:
    """Why a scheduled run could not be called, with the signature it needs; None if it can be."""
    workflow = target.workflow
    if workflow.binding is Binding.INSTANCE:
        return (
            f"{workflow.name} is an instance method and cannot be scheduled: use a function, a "
            "static method or a class method"
        )
    wanted = [*(["cls"] if workflow.binding is Binding.CLASS else []), *parameters]
    try:
        inspect.signature(workflow.function).bind(*wanted)
    except ValueError:
        return None  # written in C: it has no signature to read
    except TypeError:
        name = workflow.name.rpartition(".")[2]
        return (
            f"{workflow.name} does not take what a scheduled run is given: it needs the signature "
            f"{name}({', '.join(wanted)})"
        )
    return None
