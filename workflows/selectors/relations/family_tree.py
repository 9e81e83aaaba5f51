"""The whole family of a workflow: who started whom and who was forked from whom, within bounds."""

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
    """One workflow and what it came from; `via` is "started" or "forked", empty for the root."""

    row: WorkflowRow
    origin: str | None = None
    via: str = ""


@dataclass(frozen=True, slots=True)
class FamilyTree:
    """In the order found, origins before what came of them."""

    members: tuple[Relation, ...]
    is_cut: bool


def _below(column: str) -> Statement:
    # Without ORDER BY: sorting would read every child, and a parent may have a million.
    return Statement(
        postgres=(
            f"SELECT {COLUMNS} FROM {{workflow_status}} WHERE {column} = ANY(:ids) LIMIT :most"
        ),
        sqlite=(
            f"SELECT {COLUMNS} FROM {{workflow_status}} "
            f"WHERE {column} IN (SELECT value FROM json_each(:ids)) LIMIT :most"
        ),
    )


CHILDREN = _below("parent_workflow_id")
FORKS = _below("forked_from")


def family_tree(session: Session, row: WorkflowRow, *, viewer: Viewer = EVERYTHING) -> FamilyTree:
    """The tree around a workflow: its line of ancestors first, then all below, level by level."""
    known = _line(session, row, viewer)
    # What is near to the workflow is worth more than its cousins.
    is_cut = _descend(session, [row.pk], known, viewer)
    is_cut |= _descend(session, [*known], known, viewer)
    return FamilyTree(tuple(known.values()), is_cut)


def _descend(
    session: Session, level: list[str], known: dict[str, Relation], viewer: Viewer
) -> bool:
    """Add what came of these, and of that, as far as bounds allow; whether they cut it."""
    is_cut = False
    for _ in range(MAX_LEVELS):
        level, more = _level(session, level, known, viewer)
        is_cut |= more
        if not level:
            return is_cut
    return True


def _line(session: Session, row: WorkflowRow, viewer: Viewer) -> dict[str, Relation]:
    near = lineage(session, row, viewer=viewer)
    line = [*near.ancestors, row]
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
    """Add what came of these, as far as there is room; the ids added, and whether there is more."""
    added: list[str] = []
    is_cut = False
    for statement, column, via in (
        (CHILDREN, "parent_workflow_id", "started"),
        (FORKS, "forked_from", "forked"),
    ):
        room = MAX_MEMBERS - len(known)
        # Those already known come again, and must not use up the room.
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
