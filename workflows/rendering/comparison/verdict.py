"""What a comparison has found, in sentences: the first one says where the paths diverge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dboshub.workflows.payloads.comparison import Difference
from dboshub.workflows.selectors.comparison.step_pairs import Divergence, Place
from dboshub.workflows.selectors.detail.steps import StepRow
from dboshub.workflows.selectors.rows import WorkflowRow

# Steps that are shown before a divergence.
CONTEXT = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """`place` leads to the divergence, `go_on` to where the search for it stopped."""

    text: str
    differs: bool
    place: Place | None = None
    go_on: Place | None = None
    more: tuple[str, ...] = ()

    @property
    def before(self) -> Place | None:
        """A place shortly before the divergence."""
        return None if self.place is None else self.place.moved(-CONTEXT)


@dataclass(frozen=True, slots=True)
class Side:
    """A workflow, and its step at the place of the divergence."""

    name: str
    row: WorkflowRow
    step: StepRow | None = None

    @property
    def did(self) -> str:
        """What it did at this place, after its name."""
        if self.step is not None:
            outcome = "failed in" if self.step.is_failed else "ran"
            return f"{outcome} “{self.step.name}”"
        return "ended" if self.row.is_final else "has recorded no step yet"


def verdict(
    sides: tuple[Side, Side], found: Divergence, steps: int, differences: Sequence[str]
) -> Verdict:
    """The verdict on two workflows; `steps` is the number of steps, if they have the same ones."""
    more = tuple(_more(sides, differences))
    if found.at is not None:
        return Verdict(_where(sides, found.at), True, found.at, more=more)
    if found.looked_to is not None:
        text = f"The first {found.looked_to.left:,} steps have the same names and outcomes."
        return Verdict(text, False, go_on=found.looked_to, more=more)
    if not steps:
        return Verdict("Neither has recorded a step.", False, more=more)
    what = "the same step" if steps == 1 else f"the same {steps:,} steps"
    return Verdict(f"Both took {what}, with the same outcomes.", False, more=more)


def _where(sides: tuple[Side, Side], at: Place) -> str:
    left, right = sides
    number = at.left
    if left.step and right.step and left.step.name == right.step.name:
        failed, other = (left, right) if left.step.is_failed else (right, left)
        return (
            f"They diverge at step {number:,}, “{left.step.name}”: it failed in {failed.name}"
            f" and not in {other.name}."
        )
    return f"They diverge at step {number:,}: A {left.did}, B {right.did}."


def _more(sides: tuple[Side, Side], differences: Sequence[str]) -> Iterator[str]:
    left, right = (side.row.application_version for side in sides)
    if left != right:
        yield f"A ran version {left or 'none'}, B {right or 'none'}."
    if differences:
        named = " and ".join(differences)
        yield f"Their {named} differ."


def differing(named: Sequence[tuple[str, Difference | None]]) -> list[str]:
    """The names of those values that differ."""
    alike = (None, "same", "unknown")
    return [name for name, found in named if (found and found.kind) not in alike]
