"""Whether a function can take the arguments that a schedule gives to each run."""

from __future__ import annotations

import inspect
import logging

from dboshub.workflows.engine.registration.registry import Target
from dboshub.workflows.engine.registration.workflow import Binding

logger = logging.getLogger("dboshub.schedules")

# What a run is given: by ``@DBOS.scheduled``, and by ``DBOS.create_schedule``.
FOR_DECORATOR = ("scheduled_at: datetime", "started_at: datetime")
FOR_CONTEXT = ("scheduled_at: datetime", "context")


def receiver_problem(target: Target) -> str | None:
    """Why a run would have nothing to call the workflow on, or None."""
    if target.workflow.binding is not Binding.INSTANCE:
        return None
    return (
        "Configured instance methods cannot be used as scheduled workflows: instead of "
        f"{target.workflow.name} use a function, a static method or a class method"
    )


def warn_of_signature(target: Target, *parameters: str) -> None:
    """Log a warning if a scheduled run could not be called, with the signature it needs."""
    if (problem := receiver_problem(target)) is not None:
        logger.warning("every scheduled run will fail: %s", problem)
        return
    workflow = target.workflow
    wanted = [*(["cls"] if workflow.binding is Binding.CLASS else []), *parameters]
    try:
        inspect.signature(workflow.function).bind(*wanted)
    except ValueError:
        return  # written in C: it has no signature to read
    except TypeError:
        name = workflow.name.rpartition(".")[2]
        logger.warning(
            "every scheduled run will fail: %s does not take what a scheduled run is given: it "
            "needs the signature %s(%s)",
            workflow.name,
            name,
            ", ".join(wanted),
        )
