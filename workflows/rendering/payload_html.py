"""Payload trees as HTML: nested ``<details>`` elements, or one line.

Every text is escaped by ``format_html``. The numbers of nodes and characters are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from dboshub.workflows.payloads.exceptions import traceback
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.outline import outline
from dboshub.workflows.payloads.redaction import rules_in
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Malformed,
    Mapping,
    Node,
    Raw,
    Recursion,
    Scalar,
    Sequence,
    Truncated,
)

MAX_NODES = 500
MAX_PAGE_TEXT = 100_000
MAX_VALUE_TEXT = 8_000
MAX_COPIED_TEXT = 32_768
OPEN_LEVELS = 2
MAX_LINE_LENGTH = 120
EMPTY = SafeString("")
OPEN = SafeString(" open")
CSS_CLASSES = {
    "none": "literal",
    "redacted": "literal",
    "bool": "literal",
    "int": "number",
    "float": "number",
    "str": "text",
}


def payload_tree(node: Node | None, nodes: int = MAX_NODES) -> SafeString:
    """The node as nested <details>, at most ``nodes`` of them, and as text to copy."""
    if node is None:
        return format_html('<p class="payload-none">{}</p>', "Nothing recorded")
    return format_html(
        '<div class="payload">{}{}</div>',
        PayloadRenderer(nodes).show(node, EMPTY, 0),
        folded("As text", outline(node, MAX_COPIED_TEXT)),
    )


def redaction_note(*nodes: Node | None) -> SafeString:
    """Which rules hid parts of values, and where they are changed; empty if none did."""
    rules = sorted({rule for node in nodes for rule in rules_in(node)})
    if not rules:
        return EMPTY
    return format_html(
        '<p class="payload-redaction">{} {} parts of what is shown. Who runs this hub changes {} in'
        " <code>DBOSHUB_REDACT</code>, in its settings or its environment.</p>",
        "The rule" if len(rules) == 1 else "The rules",
        format_html("{} {}", _codes(rules), "hides" if len(rules) == 1 else "hide"),
        "it" if len(rules) == 1 else "them",
    )


def payload_line(node: Node | None, limit: int = 80) -> SafeString:
    """The node as one line of at most ``limit`` characters."""
    line = "" if node is None else inline(node, limit)
    return format_html('<code class="payload-line">{}</code>', line)


class PayloadRenderer:
    """Renders one tree; counts the nodes it shows, because subtrees can be shared."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.room = MAX_PAGE_TEXT

    def show(self, node: Node, label: SafeString, depth: int) -> SafeString:
        self.nodes -= 1
        match node:
            case Scalar(kind=kind, text=text):
                return format_html("{}{}", label, self.value(kind, text))
            case Raw(text=text):
                return format_html("{}{}", label, self.value("raw text", text))
            case Recursion(kind=kind):
                return format_html(
                    '{}<em class="payload-note">↺ {}</em>', label, f"the {kind} itself"
                )
            case Truncated(reason=reason, node=inner):
                return self.noted("cut", reason, inner, label, depth)
            case Malformed(reason=reason, excerpt=excerpt, node=inner):
                seen = self.noted("bad", reason, inner, label, depth)
                return format_html("{}{}", seen, folded("Stored text", excerpt))
            case _:
                return self.fold(node, label, depth)

    def value(self, kind: str, text: str) -> SafeString:
        """A scalar; a long text is folded and cut at the remaining number of characters."""
        css = CSS_CLASSES.get(kind, "object")
        named = format_html('<span class="payload-kind">{}</span> ', kind.rpartition(".")[2])
        start = EMPTY if kind in CSS_CLASSES else named
        if len(text) <= MAX_LINE_LENGTH and "\n" not in text:
            quoted = f'"{text}"' if kind == "str" else text
            return format_html('{}<code class="payload-{}">{}</code>', start, css, quoted)
        seen = self.taken(text)
        return format_html(
            '<details class="payload-long"><summary>{}<code class="payload-{}">{}</code> {}'
            '</summary><pre tabindex="0">{}{}</pre></details>',
            start,
            css,
            inline(Raw(text), MAX_LINE_LENGTH),
            count(len(text), "character"),
            seen,
            f"… {len(text) - len(seen):,} more characters" if len(seen) < len(text) else "",
        )

    def taken(self, text: str) -> str:
        """The part of a long text that fits into the remaining number of characters."""
        seen = text[: min(MAX_VALUE_TEXT, self.room)]
        self.room -= len(seen)
        return seen

    def trace(self, node: Node) -> SafeString:
        """The traceback recorded with a failure, if there is one."""
        found = traceback(node.state) if isinstance(node, Failure) else ""
        return format_html('<pre tabindex="0">{}</pre>', self.taken(found)) if found else EMPTY

    def noted(
        self, css: str, reason: str, inner: Node | None, label: SafeString, depth: int
    ) -> SafeString:
        rest = EMPTY if inner is None else self.show(inner, EMPTY, depth)
        return format_html(
            '{}<em class="payload-note payload-{}">{}</em> {}', label, css, reason, rest
        )

    def fold(
        self, node: Mapping | Sequence | Instance | Failure, label: SafeString, depth: int
    ) -> SafeString:
        size = members(node)
        if not size:
            return format_html("{}{}", label, heading(node, size))
        return format_html(
            "<details{}><summary>{}{}</summary>{}{}</details>",
            OPEN if depth < OPEN_LEVELS else EMPTY,
            label,
            heading(node, size),
            self.trace(node),
            self.inside(node, size, depth + 1),
        )

    def inside(
        self, node: Mapping | Sequence | Instance | Failure, size: int, depth: int
    ) -> SafeString:
        """The members up to the remaining number of nodes, and a count of the others."""
        shown: list[tuple[SafeString]] = []
        for label, member in islice(labelled(node), max(self.nodes, 0)):
            if self.nodes <= 0:
                break
            shown.append((self.show(member, label, depth),))
        hidden = size - len(shown)
        more = format_html('<li class="payload-note">{} more not shown</li>', f"{hidden:,}")
        items = format_html_join("", "<li>{}</li>", shown)
        return format_html("<ul>{}{}</ul>", items, more if hidden else EMPTY)


def heading(node: Mapping | Sequence | Instance | Failure, size: int) -> SafeString:
    match node:
        case Failure(class_name=name, message=message):
            return format_html(
                '<strong class="payload-failure">{}</strong> {}',
                name.removeprefix("builtins."),
                inline(Raw(message), 2 * MAX_LINE_LENGTH),
            )
        case Instance(class_name=name):
            return format_html('<code class="payload-class">{}</code>', name)
        case Mapping(kind=kind) | Sequence(kind=kind):
            return format_html('<span class="payload-kind">{}</span> {}', kind, count(size, "item"))


def parts(node: Instance | Failure) -> list[tuple[str, Node]]:
    """State, keywords and contents of an object that was not constructed."""
    named = [("attributes", node.state)]
    if isinstance(node, Instance):
        named += [("keywords", node.keywords), ("contents", node.contents)]
    return [(name, part) for name, part in named if part is not None]


def members(node: Mapping | Sequence | Instance | Failure) -> int:
    match node:
        case Mapping(items=items):
            return len(items)
        case Sequence(items=items):
            return len(items)
        case _:
            return len(node.args) + len(parts(node))


def labelled(
    node: Mapping | Sequence | Instance | Failure,
) -> Iterator[tuple[SafeString, Node]]:
    match node:
        case Mapping(items=items):
            return ((label(inline(key, MAX_LINE_LENGTH)), value) for key, value in items)
        case Sequence(items=items):
            return ((label(str(at)), value) for at, value in enumerate(items))
        case _:
            positional = ((label(str(at)), value) for at, value in enumerate(node.args))
            return chain(positional, ((label(name), part) for name, part in parts(node)))


def label(name: str) -> SafeString:
    return format_html('<span class="payload-key">{}</span>: ', name)


def _codes(texts: list[str]) -> SafeString:
    return format_html_join(", ", "<code>{}</code>", ((text,) for text in texts))


def folded(title: str, text: str) -> SafeString:
    return format_html(
        '<details class="payload-copy"><summary>{}</summary><pre tabindex="0">{}</pre></details>',
        title,
        text,
    )


def count(number: int, noun: str) -> SafeString:
    words = f"{number:,} {noun}{'' if number == 1 else 's'}"
    return format_html('<span class="payload-count">{}</span>', words)
