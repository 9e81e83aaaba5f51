"""Redaction of values by the names of their keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import translate

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

REDACTED = Scalar("redacted", "redacted")


class Rules:
    """Name patterns such as ``*_token``. Case is ignored; ``-`` equals ``_``."""

    def __init__(self, patterns: Iterable[str]) -> None:
        found = [translate(_plain(pattern)) for pattern in patterns]
        self._names = re.compile("|".join(found)) if found else None

    @property
    def is_empty(self) -> bool:
        return self._names is None

    def apply(self, node: Node) -> Node:
        """The redacted node; the identical object if nothing is redacted."""
        return node if self._names is None else self._walk(node, {})

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
                members = tuple(self._walk(each, known) for each in items)
                return node if _alike(members, items) else replace(node, items=members)
            case Instance() | Failure():
                return self._object(node, known)
            case Truncated() | Malformed():
                inner = self._part(node.node, known)
                return node if inner is node.node else replace(node, node=inner)
        return node

    def _value(self, key: Node, value: Node, known: dict[int, Node]) -> Node:
        if isinstance(key, Scalar | Raw) and self._is_named(key.text):
            return REDACTED
        return self._walk(value, known)

    def _is_named(self, name: str) -> bool:
        return self._names is not None and self._names.match(_plain(name)) is not None

    def _object(self, node: Instance | Failure, known: dict[int, Node]) -> Node:
        args = tuple(self._walk(each, known) for each in node.args)
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


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")


def _alike(some: tuple[Node, ...], others: tuple[Node, ...]) -> bool:
    return all(one is other for one, other in zip(some, others, strict=True))


def _same(some: tuple[tuple[Node, Node], ...], others: tuple[tuple[Node, Node], ...]) -> bool:
    return all(one[1] is other[1] for one, other in zip(some, others, strict=True))
