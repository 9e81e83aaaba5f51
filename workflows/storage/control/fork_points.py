"""Where to fork workflows from after a failure: by their recorded steps, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.storage.sql import Session, Statement

_STEPS = "FROM {operation_outputs} AS step WHERE step.workflow_uuid = source.workflow_uuid"
_POINTS = f"""
    SELECT
        source.workflow_uuid,
        (SELECT MAX(step.function_id) {_STEPS} AND step.error IS NOT NULL),
        (SELECT MAX(step.function_id) {_STEPS}),
        (SELECT MAX(step.function_id) {_STEPS} AND step.function_name = :name)
    FROM {{workflow_status}} AS source
    WHERE source.workflow_uuid
"""
POINTS = Statement(
    postgres=f"{_POINTS} = ANY(:ids)",
    sqlite=f"{_POINTS} IN (SELECT value FROM json_each(:ids))",
)


@dataclass(frozen=True, slots=True)
class ForkPoints:
    """Step numbers of one workflow; None where it recorded no such step."""

    failed: int | None
    last: int | None
    named: int | None

    def start(self, *, step: int | None, name: str | None, from_last: bool) -> int | None:
        """The step to run again: one by number or name, the last one, or else the failed one.

        A workflow that failed outside of its steps runs its last one again. None for a name that
        was never recorded.
        """
        if step is not None:
            return step
        if name is not None:
            return self.named
        found = [self.last] if from_last else [self.failed, self.last]
        return next((each for each in found if each is not None), 1)


def fork_points(session: Session, ids: Iterable[str], *, name: str = "") -> dict[str, ForkPoints]:
    """The last failed step, the last one, and the last called `name`, of each that exists."""
    found = session.all(POINTS, ids=session.ids(ids), name=name)
    return {workflow_id: ForkPoints(*steps) for workflow_id, *steps in found}
