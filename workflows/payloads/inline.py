"""A node as one line of text, cut at a limit, for table cells, messages and summaries."""

from __future__ import annotations

from collections.abc import Iterator

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

BRACKETS = {"tuple": ("(", ")"), "set": ("{", "}"), "frozenset": ("{", "}"), "parts": (" ", " ")}


def inline(node: Node, limit: int = 80) -> str:
    """The node as one line of at most ``limit`` characters."""
    return cut(pieces(node), limit)


def cut(parts: Iterator[str], limit: int) -> str:
    """The joined parts as one line; an ellipsis marks the cut."""
    taken: list[str] = []
    size = 0
    # A shared subtree can expand without end: stop as soon as the line is full.
    for part in parts:
        taken.append(part[: limit + 1])
        size += len(part)
        if size > limit:
            break
    line = "".join(taken)
    line = "".join(char if char.isprintable() else " " for char in line[: limit + 1])
    return line if len(line) <= limit else line[: max(limit - 1, 0)] + "…"


def pieces(node: Node | None) -> Iterator[str]:
    match node:
        case Scalar(kind="str", text=text):
            yield from quoted(text)
        case Scalar(text=text) | Raw(text=text):
            yield text
        case Mapping(kind=kind, items=items):
            yield from called(items) if kind == "arguments" else paired(items)
        case Sequence(kind=kind, items=items):
            opening, closing = BRACKETS.get(kind, ("[", "]"))
            yield opening
            yield from listed(items)
            yield f",{closing}" if kind == "tuple" and len(items) == 1 else closing
        case Instance(class_name=name, args=args, state=state):
            yield name.rpartition(".")[2] + "("
            yield from listed(args if args or state is None else (state,))
            yield ")"
        case Failure(class_name=name, message=message):
            yield f"{name.rpartition('.')[2]}: {message}" if message else name.rpartition(".")[2]
        case Truncated(node=inner) | Malformed(node=inner):
            yield from pieces(inner)
            yield "…"
        case Recursion():
            yield "↺"
        case None:
            return


def paired(items: tuple[tuple[Node, Node], ...]) -> Iterator[str]:
    yield "{"
    for at, (key, value) in enumerate(items):
        yield ", " if at else ""
        yield from pieces(key)
        yield ": "
        yield from pieces(value)
    yield "}"


def called(items: tuple[tuple[Node, Node], ...]) -> Iterator[str]:
    """Arguments as in a call: positional ones first, the others with their names."""
    yield "("
    for at, (key, value) in enumerate(items):
        yield ", " if at else ""
        if not isinstance(key, Scalar):
            yield from pieces(key)
            yield "="
        yield from pieces(value)
    yield ")"


def listed(items: tuple[Node, ...]) -> Iterator[str]:
    for at, item in enumerate(items):
        yield ", " if at else ""
        yield from pieces(item)


def quoted(text: str) -> Iterator[str]:
    yield '"'
    yield text
    yield '"'
