"""What a run was given, as plain values that a form can hold, and what of it can be changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dboshub.workflows.payloads.encode import NotPlainError
from dboshub.workflows.payloads.plain_values import plain
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.selectors import startable
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.detail.steps import GET_EVENT, GET_RESULT, RECV, StepRow
from dboshub.workflows.selectors.detail.values import value
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session

# Steps of the engine whose results are values of somebody else.
RECEIVED = frozenset({RECV, GET_EVENT, GET_RESULT})
MAX_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Editable:
    """A recorded input, or a recorded result of a step.

    `problem` says why it cannot be changed. `is_missing` says that there is no value yet: the step
    failed.
    """

    args: list[Any]
    kwargs: dict[str, Any]
    step: StepRow | None = None
    problem: str = ""
    is_missing: bool = False

    @property
    def value(self) -> Any:
        """The result of the step."""
        return self.args[0] if self.args else None


def editable_input(session: Session, row: WorkflowRow) -> Editable:
    """The arguments of a run."""
    try:
        args, kwargs = startable.arguments_of(startable.input_of(session, row))
    except NotPlainError as error:
        return Editable(args=[], kwargs={}, problem=f"Its input cannot be changed here: {error}.")
    return Editable(args=args, kwargs=kwargs)


def editable_result(session: Session, row: WorkflowRow, number: int) -> Editable | None:
    """The result of a recorded step; None if there is no such step."""
    step = steps.one(session, row.pk, number)
    if step is None:
        return None
    problem = _unfit(step)
    if problem or step.is_failed:
        return Editable(args=[], kwargs={}, step=step, problem=problem, is_missing=True)
    stored = value(session, "step", row.pk, step=number, most=startable.MAX_INPUT_SIZE + 1)
    if stored is None:
        return Editable(args=[], kwargs={}, step=step, is_missing=True)
    try:
        if stored.size > startable.MAX_INPUT_SIZE:
            raise NotPlainError(f"it has more than {startable.MAX_INPUT_SIZE // 1_024} KiB")
        found = plain(readable(stored.text, stored.serialization))
    except NotPlainError as error:
        problem = f"Its result cannot be changed here: {error}."
        return Editable(args=[], kwargs={}, step=step, problem=problem)
    return Editable(args=[found], kwargs={}, step=step)


@dataclass(frozen=True, slots=True)
class Course:
    """What a fork takes from the record, and what runs again as far as it is recorded."""

    taken: tuple[StepRow, ...]
    again: tuple[StepRow, ...]
    has_more: bool


def course(session: Session, row: WorkflowRow, start_step: int) -> Course:
    """The recorded steps before and from `start_step` on; of many only the nearest."""
    first = max(0, start_step - MAX_SHOWN // 2)
    page = steps.page(session, row.pk, start=first)
    return Course(
        tuple(each for each in page.steps if each.function_id < start_step),
        tuple(each for each in page.steps if each.function_id >= start_step),
        page.has_later or first > 1,
    )


def _unfit(step: StepRow) -> str:
    if step.starts_child:
        return (
            "This step starts a child workflow. Change the result where the child is awaited "
            f"({GET_RESULT}), or fork the child with changed input."
        )
    if step.name.startswith("DBOS.") and step.name not in RECEIVED:
        return "The engine records this step for itself: it has no result to change."
    return ""
