"""The steps from which failed workflows are forked, for many workflows at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows.storage.sql import Session, Statement

_STEPS = "FROM {operation_outputs} AS step WHERE step.workflow_uuid = source.workflow_uuid"
POINTS = Statement(f"""
    SELECT
        source.workflow_uuid,
        (SELECT MAX(step.function_id) {_STEPS} AND step.error IS NOT NULL),
        (SELECT MAX(step.function_id) {_STEPS}),
        (SELECT MAX(step.function_id) {_STEPS} AND step.function_name = :name)
    FROM {{workflow_status}} AS source
    WHERE source.workflow_uuid = ANY(:ids)
""")


@dataclass(frozen=True, slots=True)
class ForkPoints:
    """Step ids of one workflow; None where it recorded no such step."""

    failed: int | None
    last: int | None
    named: int | None

    def start(self, *, step: int | None, name: str | None, from_last: bool) -> int | None:
        """The step to execute again: the given one, by id or name, the last one or the failed one.

        It is the last step for a workflow that failed outside its steps, and 1 for one without
        steps. Returns None for a name that was never recorded.
        """
        if step is not None:
            return step
        if name is not None:
            return self.named
        found = [self.last] if from_last else [self.failed, self.last]
        return next((each for each in found if each is not None), 1)


def fork_points(session: Session, ids: Iterable[str], *, name: str = "") -> dict[str, ForkPoints]:
    """The last failed step, the last step and the last one called `name`, of each workflow."""
    found = session.all(POINTS, ids=session.ids(ids), name=name)
    return {workflow_id: ForkPoints(*steps) for workflow_id, *steps in found}
