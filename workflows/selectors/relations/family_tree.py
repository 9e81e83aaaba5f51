"""The family tree of a workflow: which workflows started it or were forked, within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from dboshub.workflows.selectors.relations.lineage import lineage
from dboshub.workflows.selectors.rows import COLUMNS, WorkflowRow, from_record
from dboshub.workflows.selectors.scope import EVERYTHING, Viewer
from dboshub.workflows.storage.sql import Session, Statement

MAX_MEMBERS = 150
MAX_LEVELS = 6


@dataclass(frozen=True, slots=True)
class Relation:
    """A workflow and the `origin` that started it or that it was forked from.

    `via` is "started" or "forked"; it is empty for the root.
    """

    row: WorkflowRow
    origin: str | None = None
    via: str = ""


@dataclass(frozen=True, slots=True)
class FamilyTree:
    """The members in the order found: an origin comes before its descendants."""

    members: tuple[Relation, ...]
    is_cut: bool


def _below(column: str) -> Statement:
    # No ORDER BY: sorting would read all children, and a parent may have a million.
    return Statement(
        f"SELECT {COLUMNS} FROM {{workflow_status}} WHERE {column} = ANY(:ids) LIMIT :most"
    )


CHILDREN = _below("parent_workflow_id")
FORKS = _below("forked_from")


def family_tree(session: Session, row: WorkflowRow, *, viewer: Viewer = EVERYTHING) -> FamilyTree:
    """The ancestors of a workflow, then all descendants of these, level by level."""
    known = _line(session, row, viewer)
    # The workflow's own descendants first: they are more relevant than those of its ancestors.
    is_cut = _descend(session, [row.pk], known, viewer)
    is_cut |= _descend(session, [*known], known, viewer)
    return FamilyTree(tuple(known.values()), is_cut)


def _descend(
    session: Session, level: list[str], known: dict[str, Relation], viewer: Viewer
) -> bool:
    """Add the descendants of these within the bounds; return whether some were left out."""
    is_cut = False
    for _ in range(MAX_LEVELS):
        level, more = _level(session, level, known, viewer)
        is_cut |= more
        if not level:
            return is_cut
    return True


def _line(session: Session, row: WorkflowRow, viewer: Viewer) -> dict[str, Relation]:
    near = lineage(session, row, viewer=viewer)
    # In a circle of parents a workflow is its own ancestor.
    line = [*(each for each in near.ancestors if each.pk != row.pk), row]
    if near.origin is not None and not near.ancestors:
        return {
            near.origin.pk: Relation(near.origin),
            row.pk: Relation(row, near.origin.pk, "forked"),
        }
    found = {line[0].pk: Relation(line[0])}
    for above, below in pairwise(line):
        found[below.pk] = Relation(below, above.pk, "started")
    return found


def _level(
    session: Session, ids: list[str], known: dict[str, Relation], viewer: Viewer
) -> tuple[list[str], bool]:
    """Add the children and forks of these; return the added ids, and whether there are more."""
    added: list[str] = []
    is_cut = False
    for statement, column, via in (
        (CHILDREN, "parent_workflow_id", "started"),
        (FORKS, "forked_from", "forked"),
    ):
        room = MAX_MEMBERS - len(known)
        # The known ones are returned again and must not use up the limit.
        rows = session.all(statement, ids=session.ids(ids), most=room + len(known) + 1)
        for each in map(from_record, rows):
            if each.pk in known or not viewer.may_see(each.application_name):
                continue
            if len(known) >= MAX_MEMBERS:
                is_cut = True
                break
            known[each.pk] = Relation(each, getattr(each, column), via)
            added.append(each.pk)
    return added, is_cut
