"""The steps that a write records."""

from __future__ import annotations

from dboshub.workflows.engine.journal.writes import (
    Answer,
    BulkStartWrite,
    StartWrite,
    StepWrite,
    Write,
)


def steps_of(write: Write) -> tuple[StepWrite, ...]:
    """The checkpoints that a write records, by id."""
    if isinstance(write, StepWrite):
        return (write,)
    if isinstance(write, BulkStartWrite):
        starts = (each.parent for each in write.starts if each.parent is not None)
        return tuple(sorted((*starts, *write.refused), key=lambda each: each.function_id))
    if isinstance(write, StartWrite):
        return () if write.parent is None else (write.parent,)
    found = getattr(write, "step", getattr(write, "by", None))
    return (found,) if isinstance(found, StepWrite) else ()


def conflict_of(write: Write, answer: Answer) -> int:
    """The id of the step that has another outcome already, or 0."""
    if answer.conflict is not None:
        return answer.conflict
    steps = steps_of(write)
    return steps[0].function_id if steps else 0
