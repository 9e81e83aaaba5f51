"""The inert nodes that represent a stored payload.

All readers produce and all renderers use these nodes. They contain only text and other nodes, no
object of the payload's own classes. Subtrees can be shared, so a walk needs a budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value without parts; ``text`` is exact and never rounded."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in stored order, with duplicates."""

    kind: str
    items: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    kind: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """An object or a call that was not made: its dotted name and its arguments."""

    class_name: str
    args: tuple[Node, ...] = ()
    keywords: Node | None = None
    state: Node | None = None
    contents: Node | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A recorded exception."""

    class_name: str
    message: str
    args: tuple[Node, ...] = ()
    state: Node | None = None


@dataclass(frozen=True, slots=True)
class Recursion:
    """A reference back to a value that contains it."""

    kind: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """Something was left out for this reason; ``node`` is what was read."""

    reason: str
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """The text is not valid in its format; ``excerpt`` is its beginning."""

    reason: str
    excerpt: str
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Text of an unknown format, shown as it is."""

    text: str


Node: TypeAlias = (
    Scalar | Mapping | Sequence | Instance | Failure | Recursion | Truncated | Malformed | Raw
)

NONE = Scalar("none", "None")


def shown(text: str) -> str:
    """The text with lone surrogates escaped, because UTF-8 cannot encode them."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
