"""The steps from which failed workflows are forked, for many workflows at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Unpack

from dboshub.workflows.engine.records import ForkOptions
from dboshub.workflows.storage.control.fork import fork
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


def fork_from_failure(
    session: Session,
    /,
    forks: Mapping[str, str],
    start: Mapping[str, Any],
    **options: Unpack[ForkOptions],
) -> None:
    """Fork each source to its new id, all or none, from the step that `ForkPoints.start` chooses.

    `start` holds the arguments of `ForkPoints.start`. Raises KeyError for an unknown id and
    LookupError for an unknown step.
    """
    points = fork_points(session, forks, name=start["name"] or "")
    for source, new_id in forks.items():
        step = points[source].start(**start)
        if step is None:
            raise LookupError(source)
        fork(session, source, new_id=new_id, start_step=step, **options)
