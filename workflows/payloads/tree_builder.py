"""Converts the boxes of the pickle machine to the tree of nodes.

Each box is converted once and shared: the cost depends on the stored size of a payload, not on the
size to which its references expand.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from dboshub.workflows.payloads.exceptions import message
from dboshub.workflows.payloads.pickle_machine import UNSET, Box
from dboshub.workflows.payloads.stdlib_types import as_bytes, is_exception, plain, recognise
from dboshub.workflows.payloads.tree import (
    Failure,
    Instance,
    Mapping,
    Node,
    Recursion,
    Scalar,
    Sequence,
    Truncated,
)

MAX_DEPTH = 60
MAX_MESSAGES = 1_000
COLLECTIONS = {
    "builtins.set": "set",
    "builtins.frozenset": "frozenset",
    "builtins.list": "list",
    "builtins.tuple": "tuple",
    "builtins.dict": "dict",
    "collections.Counter": "Counter",
}
UNKNOWN = Scalar("unknown", "?")
TOO_DEEP = Truncated(f"nested more than {MAX_DEPTH} levels deep")


TOO_DEEP_PAIR = ((TOO_DEEP, TOO_DEEP),)
Pairs: TypeAlias = tuple[tuple[Node, Node], ...]


def freeze(value: Any) -> Node:
    return TreeBuilder().convert(value, 0)[0]


class TreeBuilder:
    """Converts boxes to nodes; every method also returns the height of the tree."""

    def __init__(self) -> None:
        self.done: dict[Any, tuple[Any, int]] = {}
        self.open: set[int] = set()
        self.messages = 0

    def convert(self, value: Any, depth: int) -> tuple[Node, int]:
        if not isinstance(value, Box):
            return self.scalar(value), 0
        key = id(value)
        if key in self.open:
            return Recursion(value.name or value.kind), 0
        if key in self.done:
            return self.again(key, depth)
        if depth >= MAX_DEPTH:
            return TOO_DEEP, 0
        self.open.add(key)
        self.done[key] = answer = self.box(value, depth)
        self.open.discard(key)
        return answer

    def again(self, key: Any, depth: int) -> tuple[Any, int]:
        answer = self.done[key]
        return answer if depth + answer[1] <= MAX_DEPTH else (TOO_DEEP, 0)

    def scalar(self, value: Any) -> Node:
        # A text that is expensive to make is made once, however often it is referenced.
        if value is None or isinstance(value, bool | float) or is_ascii(value):
            return plain(value) or UNKNOWN
        found = self.done.get(id(value))
        if found is None:
            found = self.done[id(value)] = (plain(value) or UNKNOWN, 0)
        node: Node = found[0]
        return node

    def many(self, values: list[Any], depth: int) -> tuple[tuple[Node, ...], int]:
        """The nodes of a list. Calls can share a list, so it is converted once like a box."""
        key = id(values)
        if key in self.done:
            known, height = self.done[key]
            return (known, height) if depth + height <= MAX_DEPTH + 1 else ((TOO_DEEP,), 0)
        nodes: list[Node] = []
        height = 0
        for value in values:
            node, tall = self.convert(value, depth)
            nodes.append(node)
            height = max(height, tall)
        self.done[key] = answer = (tuple(nodes), height)
        return answer

    def box(self, box: Box, depth: int) -> tuple[Node, int]:
        match box.kind:
            case "class":
                return Scalar("class", box.name), 0
            case "instance":
                return self.instance(box, depth)
            case "dict":
                items, height = self.pairs(box.pairs, depth + 1)
                return Mapping("dict", items), height + 1
            case _:
                nodes, height = self.many(box.items, depth + 1)
                return Sequence(box.kind, nodes), height + 1

    def pairs(self, pairs: list[tuple[Any, Any]], depth: int) -> tuple[Pairs, int]:
        key = id(pairs)
        if key in self.done:
            known, height = self.done[key]
            return (known, height) if depth + height <= MAX_DEPTH + 1 else (TOO_DEEP_PAIR, 0)
        items: list[tuple[Node, Node]] = []
        height = 0
        for name, value in pairs:
            (left, tall), (right, taller) = self.convert(name, depth), self.convert(value, depth)
            items.append((left, right))
            height = max(height, tall, taller)
        self.done[key] = answer = (tuple(items), height)
        return answer

    def instance(self, box: Box, depth: int) -> tuple[Node, int]:
        special = self.special(box, depth)
        if special is not None:
            return special
        args, height = self.many(box.args, depth + 1)
        state, tall = self.optional(fields(box.state), depth + 1)
        keywords, taller = self.optional(box.keywords, depth + 1)
        contents, tallest = self.contents(box, depth + 1)
        height = 1 + max(height, tall, taller, tallest)
        if is_exception(box.name) and keywords is None and contents is None:
            return Failure(box.name, self.message(box, args), args, state), height
        return Instance(box.name, args, keywords, state, contents), height

    def message(self, box: Box, args: tuple[Node, ...]) -> str:
        # The text of a nested argument is expensive, and thousands of exceptions can share one.
        self.messages += 1
        return message(box.name, args) if self.messages <= MAX_MESSAGES else ""

    def special(self, box: Box, depth: int) -> tuple[Node, int] | None:
        scalar = recognise(box)
        if scalar is not None:
            return scalar, 0
        if box.name in {"_codecs.encode", "builtins.bytes"}:
            return self.octets("bytes", box, box.args[0] if box.args else None)
        if box.name == "builtins.bytearray" and box.args:
            return self.octets("bytearray", box.args[0], box.args[0])
        ordered = box.name == "collections.OrderedDict" and box.state is UNSET
        if ordered and not box.args and not box.items:
            items, height = self.pairs(box.pairs, depth + 1)
            return Mapping("OrderedDict", items), height + 1
        return self.collection(box, depth)

    def octets(self, kind: str, value: Any, source: Any) -> tuple[Node, int] | None:
        """Bytes that are stored as a call, decoded once for all calls on one text."""
        key = (kind, id(source))
        if key not in self.done:
            data = as_bytes(value)
            self.done[key] = (None if data is None else Scalar(kind, repr(data)), 0)
        answer = self.done[key]
        return None if answer[0] is None else answer

    def collection(self, box: Box, depth: int) -> tuple[Node, int] | None:
        """A call such as ``set([1, 2])`` as a set."""
        kind = COLLECTIONS.get(box.name)
        inner = box.args[0] if len(box.args) == 1 else None
        extras = box.state is not UNSET or box.pairs or box.items
        if kind is None or extras or not isinstance(inner, Box):
            return None
        if inner.kind in {"list", "tuple"}:
            nodes, height = self.many(inner.items, depth + 1)
            return Sequence(kind, nodes), height + 1
        if inner.kind == "dict" and kind in {"Counter", "dict"}:
            items, height = self.pairs(inner.pairs, depth + 1)
            return Mapping(kind, items), height + 1
        return None

    def optional(self, value: Any, depth: int) -> tuple[Node | None, int]:
        return (None, 0) if value is UNSET else self.convert(value, depth)

    def contents(self, box: Box, depth: int) -> tuple[Node | None, int]:
        """The items of a subclass of list or dict."""
        if box.pairs:
            items, height = self.pairs(box.pairs, depth + 1)
            return Mapping("dict", items), height + 1
        if box.items:
            nodes, height = self.many(box.items, depth + 1)
            return Sequence("list", nodes), height + 1
        return None, 0


def fields(state: Any) -> Any:
    """The attributes in a state, without the wrappers of slots and pydantic."""
    if not isinstance(state, Box):
        return state
    if state.kind == "tuple" and len(state.items) == 2:
        first, second = state.items
        if isinstance(second, Box) and second.kind == "dict" and first is None:
            return second
    # Check the length first: thousands of objects can share one large state.
    if state.kind == "dict" and len(state.pairs) < 8:
        return pydantic_fields(state)
    return state


def pydantic_fields(state: Box) -> Any:
    named = {key: value for key, value in state.pairs if isinstance(key, str)}
    extras = (named.get("__pydantic_extra__"), named.get("__pydantic_private__"))
    if "__pydantic_fields_set__" not in named or extras != (None, None):
        return state
    return named.get("__dict__", state)


def is_ascii(value: Any) -> bool:
    return isinstance(value, str) and value.isascii()
