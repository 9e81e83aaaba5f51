"""The stored outputs of the steps of a page, for comparing them: small ones only.

The caller checks the permission to see payloads.
"""

from __future__ import annotations

from collections.abc import Iterable

from dboshub.workflows.selectors.comparison.step_pairs import StepPair
from dboshub.workflows.selectors.detail.steps import StepRow
from dboshub.workflows.selectors.detail.values import StoredValue, sized
from dboshub.workflows.storage.sql import Session

# Bytes of an output that is compared on the page, and of all outputs of a page.
MAX_OUTPUT_SIZE = 8 * 1_024
MAX_PAGE_SIZE = 2 * 1_024 * 1_024

OUTPUTS = sized("""
    SELECT function_id, COALESCE(error, output, ''), serialization
    FROM {operation_outputs}
    WHERE workflow_uuid = :id AND function_id = ANY(:ids)
        AND COALESCE(SIZE(error), SIZE(output), 0) <= :largest
""")


def is_comparable(pair: StepPair) -> bool:
    """Whether both steps have the same outcome, and outputs that are small.

    The output of a timer is a time, which two runs never have in common.
    """
    if pair.left is None or pair.right is None or not pair.has_same_outcome:
        return False
    return not pair.left.is_timer and max(size(pair.left), size(pair.right)) <= MAX_OUTPUT_SIZE


def size(step: StepRow) -> int:
    """The size of what a step returned or raised, in bytes."""
    return step.error_size if step.error_size is not None else step.output_size or 0


def outputs(session: Session, workflow_id: str, steps: Iterable[StepRow]) -> dict[int, StoredValue]:
    """What these steps returned or raised, by step id, up to MAX_PAGE_SIZE in all."""
    ids, total = [], 0
    for step in steps:
        total += size(step)
        if total > MAX_PAGE_SIZE:
            break
        ids.append(step.function_id)
    if not ids:
        return {}
    found = session.all(OUTPUTS, id=workflow_id, ids=session.ids(ids), largest=MAX_OUTPUT_SIZE)
    return {number: StoredValue(text, len(text), form) for number, text, form in found}
