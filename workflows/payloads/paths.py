"""Places within a payload, written as `order.lines[2].sku`: as pages copy them to the clipboard."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from dboshub.workflows.payloads.envelope import opened
from dboshub.workflows.payloads.inline import inline
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Malformed,
    Mapping,
    Node,
    Raw,
    Scalar,
    Sequence,
    Truncated,
)

Path = tuple[str | int, ...]

# Subtrees can be shared, so a walk over a payload ends after this many nodes.
MAX_NODES = 20_000
MAX_KEY_LENGTH = 120
NAME = re.compile(r"[^\W\d][\w-]*")
STEP = re.compile(r"\.?([^\W\d][\w-]*)|\[(\d{1,9})\]|\[\"([^\"\]]*)\"\]")


def write_path(path: Path) -> str:
    """The text of a path: names after dots, positions and other keys in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif NAME.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f'["{step}"]'
    return text


def read_path(text: str) -> Path | None:
    """The path that a text writes; None if it writes none."""
    steps: list[str | int] = []
    place = 0
    while place < len(text):
        found = STEP.match(text, place)
        if found is None:
            return None
        name, position, key = found.groups()
        steps.append(int(position) if position else name if name is not None else key)
        place = found.end()
    return tuple(steps)


def value_at(node: Node | None, path: Path) -> Node | None:
    """The part of a payload at a path; None if there is none.

    Arguments of a workflow are found by their position or name.
    """
    for step in path:
        if node is None:
            return None
        node = next((part for key, part in members(node) if key == step), None)
    return node


def leaves(node: Node) -> Iterator[tuple[Path, Node]]:
    """The values without parts, and the failures, of a payload, the shallowest first."""
    waiting: deque[tuple[Path, Node]] = deque([((), node)])
    for _ in range(MAX_NODES):
        if not waiting:
            return
        path, at = waiting.popleft()
        if isinstance(at, Scalar | Raw | Failure):
            yield path, at
        waiting.extend(((*path, key), part) for key, part in members(at))


def members(node: Node) -> Iterator[tuple[str | int, Node]]:
    """The parts of a node, each with its key or position. What was cut short has those read."""
    match node:
        case Truncated(node=inner) | Malformed(node=inner):
            yield from _all((inner,))
        case Sequence(items=items):
            yield from enumerate(items)
        case Mapping(items=items):
            yield from _entries(node, items)
        case Instance(args=args, state=state, keywords=keywords, contents=contents):
            yield from enumerate(args)
            yield from _all((state, keywords, contents))
        case Failure(args=args, state=state):
            yield from enumerate(args)
            yield from _all((state,))


def _all(parts: Iterable[Node | None]) -> Iterator[tuple[str | int, Node]]:
    for part in parts:
        if part is not None:
            yield from members(part)


def _entries(
    node: Mapping, items: tuple[tuple[Node, Node], ...]
) -> Iterator[tuple[str | int, Node]]:
    """The entries of a mapping; of the arguments of a workflow those by position and by name."""
    arguments = opened(node)
    if arguments is not None:
        yield from enumerate(arguments[0].items)
        items = arguments[1].items
    for key, value in items:
        yield key.text if isinstance(key, Scalar) else inline(key, MAX_KEY_LENGTH), value
