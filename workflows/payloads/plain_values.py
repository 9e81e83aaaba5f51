"""Converts a payload tree to plain data, for the initial values of forms."""

from __future__ import annotations

import re
from typing import Any

from dboshub.workflows.payloads.encode import NotPlainError
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

# The tree writes a lone surrogate like this, and so may a text itself: it is ambiguous.
_SURROGATE = re.compile(r"\\ud[89a-f]")


def plain(node: Node) -> Any:
    """The plain value of a tree. Raises NotPlainError for values that JSON has no type for."""
    match node:
        case Scalar(kind="none"):
            return None
        case Scalar(kind="bool", text=text):
            return text == "True"
        case Scalar(kind="int", text=text):
            return int(text, 0)
        case Scalar(kind="float", text=text):
            return float(text)
        case Scalar(kind="str", text=text) if not _SURROGATE.search(text):
            return text
        case Sequence(kind="list", items=items):
            return [plain(item) for item in items]
        case Mapping(kind="dict", items=pairs):
            return {_text(key): plain(value) for key, value in pairs}
    raise NotPlainError(f"it holds {_named(node)}")


def _named(node: Node) -> str:
    """What a form has no field for."""
    match node:
        case Instance(class_name=name) | Failure(class_name=name):
            return f"an object of {name}, which is not plain data"
        case Truncated(reason=reason) | Malformed(reason=reason):
            return f"a part that is not read ({reason})"
        case Scalar(kind="redacted"):
            return "a redacted value"
        case Scalar(kind="str"):
            return "text with half of a character pair"
        case Scalar(kind=kind) | Sequence(kind=kind) | Mapping(kind=kind):
            return f"a value of type {kind}, which is not plain data"
    return "more than plain data"


def _text(key: Node) -> str:
    if isinstance(key, Scalar) and key.kind == "str":
        return str(plain(key))
    raise NotPlainError("it holds a key that is not text")
