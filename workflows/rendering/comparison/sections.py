"""What the page of a comparison shows of two workflows, a page of their steps at a time."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.rendering.comparison.fact_rows import fact_rows
from dboshub.workflows.rendering.comparison.pair_lines import compared_outputs, pair_lines
from dboshub.workflows.rendering.comparison.values import compared_values
from dboshub.workflows.rendering.comparison.verdict import Side, differing, verdict
from dboshub.workflows.selectors.comparison.step_pairs import (
    Divergence,
    Place,
    first_divergence,
    page,
)
from dboshub.workflows.selectors.detail import steps
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.database_clock import database_now
from dboshub.workflows.storage.sql import Session

# Seconds of the search for the next divergence behind the shown steps.
NEXT_BUDGET_S = 0.1

Context = dict[str, Any]


def comparison(
    session: Session, left: WorkflowRow, right: WorkflowRow, place: Place, *, payload: bool
) -> Context:
    """The verdict, the metadata, the values, and the steps from a place on."""
    first = first_divergence(session, left.pk, right.pk, Place())
    values = compared_values(session, left, right, payload=payload)
    counts = [steps.counted(session, row.pk) for row in (left, right)]
    # What one has not returned yet is no difference.
    known = values if left.is_final and right.is_final else values[:1]
    unlike = differing([(each.name.lower(), each.difference) for each in known])
    sides = _sides(session, left, right, first)
    return {
        "left": left,
        "right": right,
        "now": database_now(session),
        "verdict": verdict(sides, first, counts[0].total, unlike),
        "facts": fact_rows(left, right),
        "counts": counts,
        "values": values,
        "sees_payloads": payload,
        **_steps(session, left, right, place, first, payload=payload),
    }


def _steps(
    session: Session,
    left: WorkflowRow,
    right: WorkflowRow,
    place: Place,
    first: Divergence,
    *,
    payload: bool,
) -> Context:
    shown = page(session, left.pk, right.pk, place)
    same = compared_outputs(session, left, right, shown.pairs) if payload else {}
    folds = pair_lines(shown.pairs, same, first.at)
    lines = [line for fold in folds for line in fold.lines]
    behind = None
    if shown.next is not None:
        behind = first_divergence(session, left.pk, right.pk, shown.next, budget_s=NEXT_BUDGET_S)
    return {
        "folds": folds,
        "shown": len(lines),
        "uncompared": sum(line.is_too_large for line in lines),
        "unlike": sum(line.state != "same" for line in lines),
        "is_first_shown": any(line.is_first for line in lines),
        "place": place,
        "is_start": place == Place(),
        "next": shown.next,
        "behind": behind,
    }


def _sides(
    session: Session, left: WorkflowRow, right: WorkflowRow, first: Divergence
) -> tuple[Side, Side]:
    if first.at is None:
        return Side("A", left), Side("B", right)
    return (
        Side("A", left, steps.one(session, left.pk, first.at.left)),
        Side("B", right, steps.one(session, right.pk, first.at.right)),
    )
