"""The columns of a step's checkpoint: each with the field of StepWrite that it is written from."""

from __future__ import annotations

from operator import attrgetter

from dboshub.workflows.engine.journal.writes import StepWrite

# Column, field, and the type that PostgreSQL reads it as from JSON.
_COLUMNS = (
    ("workflow_uuid", "workflow_id", "text"),
    ("function_id", "function_id", "int"),
    ("function_name", "name", "text"),
    ("output", "output", "text"),
    ("error", "error", "text"),
    ("child_workflow_id", "child_id", "text"),
    ("started_at_epoch_ms", "started_at", "bigint"),
    ("completed_at_epoch_ms", "completed_at", "bigint"),
    ("serialization", "serialization", "text"),
    ("application_name", "application_name", "text"),
)
_FIELDS = (*(field for _, field, _ in _COLUMNS), "owner")
_values = attrgetter(*_FIELDS)

# What follows INSERT INTO; the time of the write is the parameter `now`.
STEP_COLUMNS = ", ".join([*(column for column, _, _ in _COLUMNS), "retention_timestamp"])
STEP_PARAMETERS = ", ".join([*(f":{field}" for _, field, _ in _COLUMNS), ":now"])
GIVEN_STEP_VALUES = ", ".join([*(f"given.{field}" for _, field, _ in _COLUMNS), ":now"])
# A row of the relation `given`, which also says who must own the workflow.
GIVEN_STEP = ", ".join([*(f"{field} {kind}" for _, field, kind in _COLUMNS), "owner text"])


def step_row(write: StepWrite) -> dict[str, object]:
    """The values of a checkpoint and its owner, by the names of the fields."""
    return dict(zip(_FIELDS, _values(write), strict=True))
