"""What differs between two payload trees.

Trees share subtrees, so the number of compared nodes is bounded; what is beyond is named as not
compared. The order of a dict's keys and of a set's members does not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dboshub.workflows.payloads.inline import inline
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

MAX_COMPARED = 20_000
MAX_DIFFERENCES = 2_000
MAX_KEY_LENGTH = 200
UNORDERED = frozenset({"set", "frozenset"})

Kind: TypeAlias = Literal["same", "changed", "inside", "left", "right", "unknown"]
Member: TypeAlias = tuple[str, Node]


@dataclass(frozen=True, slots=True)
class Difference:
    """A place in two trees. `label` names it within its parent.

    `kind` is "same", "changed", "left" or "right" (only there), "inside" (its `parts` differ), or
    "unknown" (not compared, because there was too much).
    """

    kind: Kind
    left: Node | None
    right: Node | None
    label: str = ""
    parts: tuple[Difference, ...] = ()


class TooMuchError(Exception):
    """The trees have more nodes than are compared."""


def compare(left: Node | None, right: Node | None) -> Difference:
    """The differences of two trees; None is a value that is not recorded."""
    return TreeComparison().difference("", left, right)


def is_same(left: Node | None, right: Node | None) -> bool | None:
    """Whether two trees are equal; None if they are too large to tell."""
    return {"same": True, "unknown": None}.get(compare(left, right).kind, False)


class TreeComparison:
    """Compares two trees; counts what it compares."""

    def __init__(self, compared: int = MAX_COMPARED, shown: int = MAX_DIFFERENCES) -> None:
        self._compared = compared
        self._shown = shown
        self._known: dict[tuple[int, int], bool] = {}

    def difference(self, label: str, left: Node | None, right: Node | None) -> Difference:
        self._shown -= 1
        if left is None or right is None:
            kind: Kind = "same" if left is right else "right" if left is None else "left"
            return Difference(kind, left, right, label)
        try:
            if self.same(left, right):
                return Difference("same", left, right, label)
        except TooMuchError:
            return Difference("unknown", left, right, label)
        if self._shown <= 0 or _is_unread(left) or _is_unread(right):
            return Difference("unknown", left, right, label)
        if not _is_alike(left, right):
            return Difference("changed", left, right, label)
        return Difference("inside", left, right, label, self._parts(left, right))

    def same(self, left: Node, right: Node) -> bool:
        """Whether two trees are equal. Raises TooMuchError."""
        if _is_unread(left) or _is_unread(right):
            return False
        if left is right:
            return True
        # The trees outlive the comparison, so an id stays unique.
        key = id(left), id(right)
        if key not in self._known:
            self._compared -= 1
            if self._compared < 0:
                raise TooMuchError
            self._known[key] = self._same(left, right)
        return self._known[key]

    def _same(self, left: Node, right: Node) -> bool:
        if isinstance(left, Scalar | Raw | Recursion):
            return left == right
        if not _is_alike(left, right) or isinstance(left, Malformed):
            return False
        some, others = members(left), members(right)
        if len(some) != len(others):
            return False
        if isinstance(left, Mapping):
            known = dict(others)
            return all(key in known and self.same(each, known[key]) for key, each in some)
        pairs = zip(some, others, strict=True)
        return all(key == name and self.same(one, other) for (key, one), (name, other) in pairs)

    def _parts(self, left: Node, right: Node) -> tuple[Difference, ...]:
        some, others = members(left), members(right)
        if isinstance(left, Sequence):
            return tuple(self._of_sequences(some, others))
        known, given = dict(others), dict(some)
        found = [self.difference(key, each, known.get(key)) for key, each in some]
        found += [self.difference(key, None, each) for key, each in others if key not in given]
        return tuple(found)

    def _of_sequences(self, some: Items[Member], others: Items[Member]) -> list[Difference]:
        """Equal items at both ends belong together, those between by their place."""
        try:
            first = self._equal(some, others)
            last = self._equal(some[first:][::-1], others[first:][::-1])
        except TooMuchError:
            first = last = 0
        ends = len(some) - last, len(others) - last
        middle = max(ends) - first
        found = [
            self.difference(key, each, other[1])
            for (key, each), other in zip(some[:first], others, strict=False)
        ]
        for at in range(first, first + middle):
            left = some[at] if at < ends[0] else None
            right = others[at] if at < ends[1] else None
            found.append(
                self.difference(str(at), left[1] if left else None, right[1] if right else None)
            )
        pairs = zip(some[ends[0] :], others[ends[1] :], strict=True)
        return found + [self.difference(name, one, other) for (_, one), (name, other) in pairs]

    def _equal(self, some: Items[Member], others: Items[Member]) -> int:
        """How many items from the first one on are equal."""
        number = 0
        for (_, one), (_, other) in zip(some, others, strict=False):
            if not self.same(one, other):
                break
            number += 1
        return number


def members(node: Node) -> list[Member]:
    """The parts of a node with unique labels; in a set in the order of their text."""
    match node:
        case Mapping(items=items):
            return _labelled([(inline(key, MAX_KEY_LENGTH), value) for key, value in items])
        case Sequence(kind=kind, items=items):
            if kind in UNORDERED:
                items = tuple(sorted(items, key=lambda each: inline(each, MAX_KEY_LENGTH)))
            return [(str(at), each) for at, each in enumerate(items)]
        case Instance(args=args, keywords=keywords, state=state, contents=contents):
            named = [("attributes", state), ("keywords", keywords), ("contents", contents)]
        case Failure(message=message, args=args, state=state):
            named = [("message", Scalar("str", message)), ("attributes", state)]
            args = () if _says(args, message) else args
        case Truncated(node=inner) | Malformed(node=inner):
            args, named = (), [("what was read", inner)]
        case _:
            return []
    found = [(str(at), each) for at, each in enumerate(args)]
    return found + [(name, part) for name, part in named if part is not None]


def _labelled(items: Items[Member]) -> list[Member]:
    seen: Counter[str] = Counter()
    found = []
    for label, value in items:
        seen[label] += 1
        found.append((label if seen[label] == 1 else f"{label} ({seen[label]})", value))
    return found


def _says(args: tuple[Node, ...], message: str) -> bool:
    """Whether the message is all that the arguments say."""
    return len(args) == 1 and isinstance(args[0], Scalar) and args[0].text == message


def _is_unread(node: Node) -> bool:
    """Whether nothing of a value was read, so that it cannot be compared."""
    return isinstance(node, Truncated) and node.node is None


def _is_alike(left: Node, right: Node) -> bool:
    """Whether two nodes have parts that can be compared with each other."""
    match left, right:
        case (Mapping(kind=one), Mapping(kind=other)) | (Sequence(kind=one), Sequence(kind=other)):
            return one == other
        case (Instance(class_name=one), Instance(class_name=other)) | (
            Failure(class_name=one),
            Failure(class_name=other),
        ):
            return one == other
        case Truncated(node=one_inside), Truncated(node=other_inside):
            return one_inside is not None and other_inside is not None
        case Malformed(node=one_inside), Malformed(node=other_inside):
            return one_inside is not None and other_inside is not None
    return False
