"""Redaction of values by the names of their keys.

What has no names that can be read is withheld: the excerpt of a malformed value, and a text that
seems to give a value to one of the names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dboshub.workflows.name_patterns import NamePatterns
from dboshub.workflows.payloads.tree import (
    NONE,
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

REDACTED = "redacted"


class Rules:
    """The names under which values are redacted."""

    def __init__(self, patterns: Iterable[str] | NamePatterns) -> None:
        self._names = patterns if isinstance(patterns, NamePatterns) else NamePatterns(patterns)

    @property
    def is_empty(self) -> bool:
        return self._names.is_empty

    def apply(self, node: Node) -> Node:
        """The redacted node; the identical object if nothing is redacted."""
        return node if self.is_empty else self._walk(node, {})

    def _walk(self, node: Node, known: dict[int, Node]) -> Node:
        # Subtrees can be shared thousands of times, so each is processed once. The tree outlives
        # the walk, so an id stays unique.
        if id(node) not in known:
            known[id(node)] = self._without(node, known)
        return known[id(node)]

    def _without(self, node: Node, known: dict[int, Node]) -> Node:
        match node:
            case Mapping(items=items):
                kept = tuple((key, self._value(key, value, known)) for key, value in items)
                return node if _same(kept, items) else replace(node, items=kept)
            case Sequence(items=items):
                members = self._members(items, known)
                return node if _alike(members, items) else replace(node, items=members)
            case Instance() | Failure():
                return self._object(node, known)
            case Truncated():
                inner = _RulesOfParts(self._names)._part(node.node, {})
                return node if inner is node.node else replace(node, node=inner)
            case Malformed():
                inner = _RulesOfParts(self._names)._part(node.node, {})
                return replace(node, excerpt="", node=inner)
            case Raw(text=text) if rule := self._names.label_in(text):
                return _redacted(rule)
            case Scalar(kind="str", text=text) if _is_nested(text):
                rule = self._names.label_in(text)
                return node if rule is None else _redacted(rule)
        return node

    def _members(self, items: tuple[Node, ...], known: dict[int, Node]) -> tuple[Node, ...]:
        # A pair of a name and a value, as in a list of headers.
        if len(items) == 2:
            name, value = items
            return self._walk(name, known), self._value(name, value, known)
        return tuple(self._walk(each, known) for each in items)

    def _args(self, items: tuple[Node, ...], known: dict[int, Node]) -> tuple[Node, ...]:
        return tuple(self._walk(each, known) for each in items)

    def _value(self, key: Node, value: Node, known: dict[int, Node]) -> Node:
        rule = self._names.match(_name(key)) if isinstance(key, Scalar | Raw) else None
        return self._walk(value, known) if rule is None else _redacted(rule)

    def _object(self, node: Instance | Failure, known: dict[int, Node]) -> Node:
        args = self._args(node.args, known)
        state = self._part(node.state, known)
        if isinstance(node, Failure):
            is_same = _alike(args, node.args) and state is node.state
            return node if is_same else replace(node, args=args, state=state)
        keywords = self._part(node.keywords, known)
        contents = self._part(node.contents, known)
        shown = replace(node, args=args, state=state, keywords=keywords, contents=contents)
        parts = (state is node.state, keywords is node.keywords, contents is node.contents)
        return node if _alike(args, node.args) and all(parts) else shown

    def _part(self, part: Node | None, known: dict[int, Node]) -> Node | None:
        return None if part is None else self._walk(part, known)


class _RulesOfParts(Rules):
    """The rules for what was read of a value until it ended, where names and values of a mapping
    that was not complete can be members of any sequence."""

    def _members(self, items: tuple[Node, ...], known: dict[int, Node]) -> tuple[Node, ...]:
        before = (NONE, *items)
        return tuple(self._value(*pair, known) for pair in zip(before, items, strict=False))

    _args = _members


def rules_in(node: Node | None) -> list[str]:
    """The patterns that hid parts of a redacted tree, in order of the alphabet."""
    found = {
        each.text for each in _all_nodes(node) if isinstance(each, Scalar) and each.kind == REDACTED
    }
    return sorted(text.removeprefix(f"{REDACTED} by ") for text in found)


def is_whole(node: Node | None) -> bool:
    """Whether everything of a stored value is in its tree: nothing was cut, nothing malformed."""
    return not any(isinstance(each, Truncated | Malformed) for each in _all_nodes(node))


def _all_nodes(node: Node | None) -> Iterator[Node]:
    """Every node of a tree, each shared one once."""
    known: set[int] = set()
    waiting = [node]
    while waiting:
        at = waiting.pop()
        if at is None or id(at) in known:
            continue
        known.add(id(at))
        yield at
        waiting += _parts(at)


def _parts(node: Node) -> list[Node | None]:
    match node:
        case Mapping(items=items):
            return [part for pair in items for part in pair]
        case Sequence(items=items):
            return [*items]
        case Instance(args=args, state=state, keywords=keywords, contents=contents):
            return [*args, state, keywords, contents]
        case Failure(args=args, state=state):
            return [*args, state]
        case Truncated(node=inner) | Malformed(node=inner):
            return [inner]
    return []


def _redacted(rule: str) -> Scalar:
    return Scalar(REDACTED, f"{REDACTED} by {rule}")


def _name(key: Scalar | Raw) -> str:
    """The text of a key; of bytes without the quotes of their literal."""
    is_bytes = isinstance(key, Scalar) and key.kind == "bytes"
    return key.text[2:-1] if is_bytes and key.text[:1] == "b" else key.text


def _is_nested(text: str) -> bool:
    """Whether a text seems to be JSON, written into a string."""
    return text.lstrip()[:1] in ("{", "[")


def _alike(some: tuple[Node, ...], others: tuple[Node, ...]) -> bool:
    return all(one is other for one, other in zip(some, others, strict=True))


def _same(some: tuple[tuple[Node, Node], ...], others: tuple[tuple[Node, Node], ...]) -> bool:
    return all(one[1] is other[1] for one, other in zip(some, others, strict=True))
