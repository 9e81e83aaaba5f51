"""Two registrations of one name: which is an error, and how steps of one name are told apart.

A row names its function, so a name must lead to one function in every process.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.engine.records import TEMP_WORKFLOW
from dboshub.workflows.engine.registration.places import (
    has_same_code,
    is_same_function,
    is_same_module,
    place,
)
from dboshub.workflows.engine.registration.workflow import (
    NotRegisteredError,
    Workflow,
    registered_of,
)

logger = logging.getLogger("dboshub")

# By the name of the workflow that runs the step alone, then by module.
Steps = Mapping[str, Mapping[str, Workflow]]


def register(new: Workflow, workflows: dict[str, Workflow]) -> None:
    """Add a workflow to those by name. Raises DBOSException for the name of another function.

    It may replace an earlier definition of the same function in its own file, with a warning:
    what was edited, and executed again; and what nobody can call any more.
    """
    known = workflows.get(new.name)
    if known is not None and is_same_function(known.function, new.function):
        new.decorated = known.decorated
    elif known is not None:
        places = f"{place(known.function)} and {place(new.function)}"
        if not _is_redefinition(known, new):
            raise _clash(new.name, places)
        if has_same_code(known.function, new.function):
            decorated = known.decorated
            del known, workflows[new.name]  # they alone may refer to a decorated function
            _expect_gone(decorated, workflows, _clash(new.name, places))
        logger.warning("workflow %r was registered again and replaced: %s", new.name, places)
    workflows[new.name] = new


def _clash(name: str, places: str) -> DBOSException:
    return DBOSException(
        f"two workflows are called {name!r}: {places}. Give one of them another name: "
        "@DBOS.workflow(name=…)"
    )


def _is_redefinition(known: Workflow, new: Workflow) -> bool:
    first, second = known.function, new.function
    return is_same_module(first, second) and _qualname(first) == _qualname(second)


def _expect_gone(
    decorated: WeakSet[Callable[..., Any]], workflows: dict[str, Workflow], clash: DBOSException
) -> None:
    """Raise the error, and register the workflow again, if a decorated function still exists."""
    if decorated:
        gc.collect()  # a function that refers to itself ends with the next collection
    for known in filter(None, map(registered_of, decorated)):
        workflows[known.name] = known
        raise clash


def _qualname(function: object) -> str | None:
    return getattr(function, "__qualname__", None)


def current(workflow: Workflow, workflows: Mapping[str, Workflow], steps: Steps) -> Workflow:
    """The registration by which a row leads to this workflow, or to this step alone.

    Raises DBOSException if it leads to another function, which was registered later.
    """
    is_step = workflow.name.startswith(TEMP_WORKFLOW)
    module = workflow.function.__module__
    by_name = steps.get(workflow.name, {}) if is_step else {}
    found = by_name.get(module) if is_step else workflows.get(workflow.name)
    if found is not None and not _is_same(found, workflow):
        kind = "step" if is_step else "workflow"
        raise DBOSException(
            f"{kind} {workflow.name.removeprefix(TEMP_WORKFLOW)!r} was registered again: "
            f"{place(found.function)} replaced {place(workflow.function)}, and would be executed "
            f"in its place. Give one of them another name: @DBOS.{kind}(name=…)"
        )
    if len(_distinct(by_name)) > 1:
        return replace(workflow, name=_name_with_module(workflow.name, module))
    return workflow


def step_named(name: str, steps: Steps) -> Workflow:
    """The step of a row. Raises NotRegisteredError if there is none, or more than one."""
    distinct = _distinct(steps.get(name, {}))
    if len(distinct) > 1:
        places = " and ".join(place(step.function) for step in distinct)
        raise NotRegisteredError(
            f": it may be any of {places}. Give them names of their own: @DBOS.step(name=…)"
        )
    for step in distinct:
        return step
    for short, by_module in steps.items():
        for module, step in by_module.items():
            if name == _name_with_module(short, module):
                return step
    raise NotRegisteredError


def _distinct(by_module: Mapping[str, Workflow]) -> list[Workflow]:
    """The steps that differ: a module may be imported by two names."""
    found: list[Workflow] = []
    for step in by_module.values():
        if not any(_is_same(step, known) for known in found):
            found.append(step)
    return found


def _is_same(first: Workflow, second: Workflow) -> bool:
    return first is second or is_same_function(first.function, second.function)


def _name_with_module(name: str, module: str) -> str:
    return f"{TEMP_WORKFLOW}{module}.{name.removeprefix(TEMP_WORKFLOW)}"
