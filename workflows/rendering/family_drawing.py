"""Draws a family tree: generations from left to right, one row per leaf."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dboshub.workflows import statuses
from dboshub.workflows.selectors.relations.family_tree import FamilyTree, Relation
from dboshub.workflows.selectors.rows import WorkflowRow

WIDTH, HEIGHT = 208, 34
GAP_X, GAP_Y = 56, 10
MAX_ID_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Box:
    """One workflow with its position in pixels."""

    row: WorkflowRow
    x: int
    y: int
    css: str
    word: str
    is_here: bool

    @property
    def short_id(self) -> str:
        """The end of the id: the ids of relatives have the same beginning."""
        return (
            self.row.pk if len(self.row.pk) <= MAX_ID_LENGTH else f"…{self.row.pk[-MAX_ID_LENGTH:]}"
        )

    @property
    def middle(self) -> int:
        return self.y + HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Drawing:
    boxes: tuple[Box, ...]
    edges: tuple[tuple[str, str], ...]
    width: int
    height: int


@dataclass(slots=True)
class _Place:
    depth: int
    line: float = 0.0


def draw(tree: FamilyTree, here: str) -> Drawing:
    """Place each box at the vertical middle of its descendants. `here` is the id of the page."""
    below: dict[str | None, list[Relation]] = {}
    for each in tree.members:
        below.setdefault(each.origin, []).append(each)
    for siblings in below.values():
        siblings.sort(key=lambda each: (each.row.created_at, each.row.pk))
    places = _places(tree.members, below)
    boxes = {each.row.pk: _box(each.row, places[each.row.pk], here) for each in tree.members}
    edges = tuple(
        (_path(boxes[each.origin], boxes[each.row.pk]), each.via)
        for each in tree.members
        if each.origin in boxes
    )
    width = max(box.x for box in boxes.values()) + WIDTH
    height = max(box.y for box in boxes.values()) + HEIGHT
    return Drawing(tuple(boxes.values()), edges, width, height)


def _places(
    members: Iterable[Relation], below: dict[str | None, list[Relation]]
) -> dict[str, _Place]:
    places: dict[str, _Place] = {}
    for each in members:
        above = places.get(each.origin or "")
        places[each.row.pk] = _Place(0 if above is None else above.depth + 1)
    free = 0
    # Depth first without recursion: a leaf takes the next line, a parent the middle of its lines.
    stack = [(each, False) for each in reversed(below.get(None, []))]
    while stack:
        each, is_done = stack.pop()
        inner = below.get(each.row.pk, [])
        if not inner:
            places[each.row.pk].line, free = free, free + 1
        elif is_done:
            lines = [places[one.row.pk].line for one in inner]
            places[each.row.pk].line = (min(lines) + max(lines)) / 2
        else:
            stack.append((each, True))
            stack.extend((one, False) for one in reversed(inner))
    return places


def _box(row: WorkflowRow, place: _Place, here: str) -> Box:
    style = statuses.status_style(row.status or "")
    x = place.depth * (WIDTH + GAP_X)
    y = round(place.line * (HEIGHT + GAP_Y))
    return Box(row, x, y, style.css, style.word, row.pk == here)


def _path(start: Box, end: Box) -> str:
    x = start.x + WIDTH
    bend = GAP_X // 2
    return f"M{x} {start.middle}h{bend - 8}L{end.x - bend + 8} {end.middle}H{end.x}"
