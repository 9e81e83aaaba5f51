"""When anything of a workflow ran, whichever of its steps a page shows.

At most MAX_STEPS_SCANNED steps around those shown are read; the database merges their times.
"""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.selectors.detail.step_search import MAX_STEPS_SCANNED, first_around
from dboshub.workflows.selectors.detail.steps import WAITS, StepPage
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session, Statement
from dboshub.workflows.storage.stored_values import whole

# Times that are closer than this part of the run are one.
RESOLUTION = 500
MAX_TIMES = RESOLUTION + 1

_NAMES = ", ".join(f"'{name}'" for name in sorted(WAITS))
# A child works until it ends, however long it took to start it. Sums of reals do not overflow.
_STEPS = f"""
    SELECT
        CAST(CASE WHEN child.workflow_uuid IS NULL THEN step.started_at_epoch_ms
            ELSE COALESCE(child.started_at_epoch_ms, child.created_at) END AS double precision)
            AS began,
        CAST(CASE WHEN child.workflow_uuid IS NULL THEN step.completed_at_epoch_ms
            ELSE COALESCE(child.completed_at, :now) END AS double precision) AS ended
    FROM {{operation_outputs}} AS step
    LEFT JOIN {{workflow_status}} AS child ON child.workflow_uuid = step.child_workflow_id
        AND SUBSTR(step.function_name, 1, 5) <> 'DBOS.'
    WHERE step.workflow_uuid = :id AND step.function_id >= :first AND step.function_id < :end
        AND step.function_name NOT IN ({_NAMES})
"""
_BEFORE = "(ORDER BY began, ended ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
BUSY = Statement(f"""
    SELECT MIN(began) AS first_began, MAX(ended) AS last_ended FROM (
        SELECT began, ended, SUM(is_apart) OVER (ORDER BY began, ended ROWS UNBOUNDED PRECEDING)
            AS place
        FROM (
            SELECT began, ended,
                CASE WHEN began > MAX(ended) OVER {_BEFORE} + :gap THEN 1 ELSE 0 END AS is_apart
            FROM ({_STEPS}) AS step
            WHERE began <= ended
        ) AS marked
    ) AS placed
    GROUP BY place ORDER BY 1 LIMIT :most
""")


@dataclass(frozen=True, slots=True)
class RunActivity:
    """The times (epoch ms) in which steps `first` to `last` or their children ran, merged.

    `is_whole` tells whether these are all steps of the workflow.
    """

    busy: tuple[tuple[int, int], ...]
    first: int
    last: int
    is_whole: bool


def run_activity(session: Session, row: WorkflowRow, page: StepPage, now: int) -> RunActivity:
    """The activity around a page of steps; `now` is epoch ms."""
    first = first_around(page)
    end = first + MAX_STEPS_SCANNED
    length = (row.completed_at or now) - min(row.created_at, row.began_at or row.created_at)
    found = session.all(
        BUSY,
        id=row.pk,
        first=first,
        end=end,
        now=now,
        gap=max(0, length) // RESOLUTION,
        most=MAX_TIMES,
    )
    busy = tuple((whole(began), whole(ended)) for began, ended in found)
    is_whole = not page.is_capped and len(found) < MAX_TIMES
    return RunActivity(busy, first, end - 1, is_whole)
