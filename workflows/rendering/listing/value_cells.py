"""The cells of a list row that show values of the workflow: redacted, and cut to a line.

They are for one reader and no part of what is pushed: the page reads them again.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.html import format_html
from django.utils.safestring import SafeString

from dboshub.workflows.payloads.envelope import as_call
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.paths import Path, value_at
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Node, Raw, Scalar
from dboshub.workflows.rendering.components import NOTHING
from dboshub.workflows.rendering.listing.columns import Column
from dboshub.workflows.selectors.row_values import MAX_LENGTH, RowValues

MAX_SHOWN = 300


def value_cells(values: RowValues | None, columns: Iterable[Column]) -> dict[str, SafeString]:
    """The inner HTML of the cells of these columns, by key. Each value is read once."""
    known: dict[str, Node | None] = {}
    cells = {}
    for column in columns:
        place, *path = column.path
        if place not in known:
            known[str(place)] = _read(values, str(place))
        cells[column.key] = _cell(known[str(place)], tuple(path))
    return cells


def _read(values: RowValues | None, place: str) -> Node | None:
    text = values.texts.get(place) if values else None
    if values is None or text is None:
        return None
    is_cut = len(text) > MAX_LENGTH
    kind = values.format_of(place)
    return readable(text[:MAX_LENGTH], kind, limit=MAX_LENGTH, is_cut=is_cut)


def _cell(node: Node | None, path: Path) -> SafeString:
    found = value_at(node, path) if path or node is None else as_call(node)
    if found is None:
        return NOTHING
    # A single text needs no quotes.
    line = inline(Raw(found.text) if isinstance(found, Scalar) else found, MAX_SHOWN)
    return format_html('<code class="stored" title="{}">{}</code>', line, line)
