"""The differences of two payload trees as nested <details>, of which those that differ are open."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dboshub.workflows.payloads.comparison import Difference
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Malformed,
    Mapping,
    Node,
    Scalar,
    Sequence,
    Truncated,
)
from dboshub.workflows.rendering.payload_html import (
    EMPTY,
    MAX_LINE_LENGTH,
    MAX_NODES,
    OPEN_LEVELS,
    PayloadRenderer,
    heading,
    label,
    redaction_note,
)

# Equal neighbours from this number on are folded, of which so many are shown.
MIN_ALIKE = 3
MAX_ALIKE = 50
# Characters before the first one that differs.
CONTEXT = 30
ABSENT = format_html('<em class="payload-note">{}</em>', "absent")
UNKNOWN = format_html('<em class="payload-note">{}</em>', "not compared: there is too much")


def difference_tree(found: Difference) -> SafeString:
    """The differences, at most MAX_NODES nodes of them."""
    note = redaction_note(found.left, found.right)
    return format_html('<div class="payload">{}</div>{}', _Renderer(MAX_NODES).show(found), note)


class _Renderer:
    """Renders one tree of differences; counts the nodes it shows."""

    def __init__(self, nodes: int) -> None:
        self._values = PayloadRenderer(nodes)

    def show(self, found: Difference) -> SafeString:
        name = label(found.label) if found.label else EMPTY
        if found.kind == "same" and found.left is not None:
            return self._values.show(found.left, name, OPEN_LEVELS)
        self._values.nodes -= 1
        if found.kind == "unknown":
            return format_html("{}{}", name, UNKNOWN)
        if found.kind == "inside" and found.left is not None:
            return self._inside(found, found.left, name)
        return format_html("{}{}", name, self._sides(found))

    def _inside(self, found: Difference, node: Node, name: SafeString) -> SafeString:
        differing = sum(part.kind != "same" for part in found.parts)
        return format_html(
            '<details open><summary>{}{} <span class="payload-count">{}</span></summary>'
            "<ul>{}</ul></details>",
            name,
            _heading(node, len(found.parts)),
            f"{differing:,} differ{'s' if differing == 1 else ''}",
            format_html_join("", "{}", ((each,) for each in self._parts(found))),
        )

    def _parts(self, found: Difference) -> Iterator[SafeString]:
        for kind, group in groupby(found.parts, lambda part: part.kind == "same"):
            parts = list(group)
            if kind and len(parts) >= MIN_ALIKE:
                yield self._alike(parts)
                continue
            for at, part in enumerate(parts):
                if self._values.nodes <= 0:
                    more = f"{len(parts) - at:,} more not shown"
                    yield format_html('<li class="payload-note">{}</li>', more)
                    break
                css = EMPTY if kind else SafeString(' class="differs"')
                yield format_html("<li{}>{}</li>", css, self.show(part))

    def _alike(self, parts: list[Difference]) -> SafeString:
        """Equal neighbours, closed; they leave room for what differs."""
        shown = parts[: min(MAX_ALIKE, max(1, self._values.nodes // 4))]
        more = f"{len(parts) - len(shown):,} more not shown" if len(parts) > len(shown) else ""
        return format_html(
            '<li><details><summary class="payload-note">{}</summary><ul>{}{}</ul></details></li>',
            f"{len(parts):,} alike",
            format_html_join("", "<li>{}</li>", ((self.show(part),) for part in shown)),
            format_html('<li class="payload-note">{}</li>', more) if more else EMPTY,
        )

    def _sides(self, found: Difference) -> SafeString:
        left, right, before = _cut(found.left, found.right)
        return format_html(
            '{}<div class="sides"><div><b class="side side-a">A</b><div>{}</div></div>'
            '<div><b class="side side-b">B</b><div>{}</div></div></div>',
            before,
            self._side(left),
            self._side(right),
        )

    def _side(self, node: Node | None) -> SafeString:
        return ABSENT if node is None else self._values.show(node, EMPTY, OPEN_LEVELS - 1)


def _heading(node: Node, size: int) -> SafeString:
    match node:
        case Mapping() | Sequence() | Instance() | Failure():
            return heading(node, size)
        case Truncated(reason=reason) | Malformed(reason=reason):
            return format_html('<em class="payload-note">{}</em>', reason)
    return EMPTY


def _cut(left: Node | None, right: Node | None) -> tuple[Node | None, Node | None, SafeString]:
    """Two long texts from shortly before the first character that differs."""
    match left, right:
        case Scalar(kind="str", text=one), Scalar(kind="str", text=other) if (
            min(len(one), len(other)) > MAX_LINE_LENGTH
        ):
            pairs = enumerate(zip(one, other, strict=False))
            first = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
            start = max(0, first - CONTEXT)
            if start:
                note = f"alike for {first:,} characters"
                said = format_html('<em class="payload-note">{}</em>', note)
                return Scalar("str", "…" + one[start:]), Scalar("str", "…" + other[start:]), said
    return left, right, EMPTY
