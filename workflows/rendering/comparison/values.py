"""Stored values of two workflows, compared. Nothing is unpickled, and redacted parts are alike."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.safestring import SafeString

from dboshub.workflows.payloads.comparison import Difference, compare
from dboshub.workflows.payloads.tree import Mapping, Raw
from dboshub.workflows.rendering.comparison.difference_html import difference_tree
from dboshub.workflows.rendering.values import Value, ValueAddress, arguments, whole
from dboshub.workflows.selectors.detail.steps import StepRow
from dboshub.workflows.selectors.detail.values import value
from dboshub.workflows.selectors.rows import WorkflowRow
from dboshub.workflows.storage.sql import Session


@dataclass(frozen=True, slots=True)
class ComparedValue:
    """A value of both workflows. `difference` is None if the viewer may not see payloads."""

    name: str
    difference: Difference | None = None
    is_cut: bool = False

    @property
    def is_none(self) -> bool:
        """Whether neither has recorded one."""
        found = self.difference
        return found is not None and found.left is None and found.right is None

    @property
    def is_same(self) -> bool:
        return self.difference is not None and self.difference.kind == "same"

    @property
    def html(self) -> SafeString:
        assert self.difference is not None
        return difference_tree(self.difference)


def compared(
    session: Session, name: str, left: ValueAddress, right: ValueAddress, *, payload: bool
) -> ComparedValue:
    """The values at two addresses, each read up to the size that a page shows."""
    if not payload:
        return ComparedValue(name)
    some, other = _read(session, left), _read(session, right)
    found = compare(some.node if some else None, other.node if other else None)
    return ComparedValue(name, found, bool((some and some.is_cut) or (other and other.is_cut)))


def compared_values(
    session: Session, left: WorkflowRow, right: WorkflowRow, *, payload: bool
) -> list[ComparedValue]:
    """The inputs, and what both returned or raised if one has ended."""
    inputs = [ValueAddress(row.pk, "input") for row in (left, right)]
    found = [compared(session, "Inputs", *inputs, payload=payload)]
    if left.is_final or right.is_final:
        some, other = ("error" if row.is_failed else "output" for row in (left, right))
        name = f"{some.capitalize()}s" if some == other else "Outcomes"
        ends = ValueAddress(left.pk, some), ValueAddress(right.pk, other)
        found.append(compared(session, name, *ends, payload=payload))
    return found


def compared_steps(
    session: Session, left: StepRow, right: StepRow, *, payload: bool
) -> ComparedValue:
    """What two steps returned or raised."""
    addresses = [
        ValueAddress(
            step.workflow_uuid, "step-error" if step.is_failed else "step", step=step.function_id
        )
        for step in (left, right)
    ]
    return compared(session, "Outcomes", *addresses, payload=payload)


def _read(session: Session, address: ValueAddress) -> Value | None:
    stored = value(session, address.kind, address.workflow_id, step=address.step)
    found = None if stored is None else whole(address, stored)
    if found is None or address.kind != "input":
        return found
    given = arguments(found)
    # No arguments are compared with some as an empty call.
    if given is not None and given is not found and isinstance(given.node, Raw):
        return replace(given, node=Mapping("arguments", ()))
    return given
