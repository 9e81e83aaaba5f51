"""The inert nodes a stored payload is shown as.

Every reader ends in these values and every renderer starts from them. They hold text and other
nodes only: no object of the payload's own classes can be reached from here. Subtrees may be
shared, so walk them with a budget.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value without parts; ``text`` is exact, never rounded through a number type."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in stored order; duplicates are kept."""

    kind: str
    items: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    kind: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """What would be an object, or a call: its dotted name and what it would be given."""

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
    """Something was left out for the reason given; ``node`` is what could still be read."""

    reason: str
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """The text is not what its format promises; ``excerpt`` is its raw beginning."""

    reason: str
    excerpt: str
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Text of a format nobody here can read, shown as it is."""

    text: str


Node: TypeAlias = (
    Scalar | Mapping | Sequence | Instance | Failure | Recursion | Truncated | Malformed | Raw
)

NONE = Scalar("none", "None")


def shown(text: str) -> str:
    """The text with lone surrogates spelled out: they cannot be encoded into a page."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
