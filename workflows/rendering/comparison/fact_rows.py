"""The metadata of two workflows side by side, without payloads."""

from __future__ import annotations

from dataclasses import dataclass

from dboshub.workflows.rendering.facts import Fact, facts
from dboshub.workflows.rendering.time_format import duration
from dboshub.workflows.selectors.rows import WorkflowRow

# Shown also if both workflows have the same.
ALWAYS = ("Created", "Waited in queue", "Ran for", "Version", "Executor")
# Of these, two workflows never have the same.
UNLIKE = frozenset(
    {"Created", "Started", "Ended", "Delayed until", "Was due", "Enqueued again", "Deadline"}
)


@dataclass(frozen=True, slots=True)
class FactRow:
    """One fact of both workflows; `note` says by how much a duration differs."""

    label: str
    left: Fact | None
    right: Fact | None
    note: str = ""

    @property
    def differs(self) -> bool:
        if self.label in UNLIKE or self.note or "duration" in self._kinds:
            return False
        return (self.left and self.left.value) != (self.right and self.right.value)

    @property
    def _kinds(self) -> list[str]:
        return [fact.kind for fact in (self.left, self.right) if fact is not None]


def fact_rows(left: WorkflowRow, right: WorkflowRow) -> list[FactRow]:
    """The facts to compare: some always, the others if they differ."""
    some, others = ({fact.label: fact for fact in facts(row)} for row in (left, right))
    found = []
    for label in dict.fromkeys([*ALWAYS, *some, *others]):
        row = FactRow(label, some.get(label), others.get(label))
        if row.left is None and row.right is None:
            continue
        row = FactRow(label, row.left, row.right, _by(row))
        if label in ALWAYS or row.differs:
            found.append(row)
    return found


def delta(left: int | None, right: int | None) -> str:
    """How much longer the left duration (ms) is: `+1.2 s`, with a minus
    sign if it is shorter; empty if it is equal."""
    if left is None or right is None or left == right:
        return ""
    sign = "+" if left > right else "\N{MINUS SIGN}"
    return f"{sign}{duration(abs(left - right))}"


def _by(row: FactRow) -> str:
    if row.left is None or row.right is None or row.left.kind != "duration":
        return ""
    return delta(int(row.left.value), int(row.right.value)) or "equal"
