"""A stored payload as plain data again: what a form may be filled in with, loaded by nobody."""

from __future__ import annotations

import re
from typing import Any

from dboshub.workflows.payloads.encode import NotPlainError
from dboshub.workflows.payloads.tree import Mapping, Node, Scalar, Sequence

# The tree spells a lone surrogate like this, and does not say whether the text did so itself.
_SURROGATE = re.compile(r"\\ud[89a-f]")


def plain(node: Node) -> Any:
    """The plain value of a tree. Raises NotPlainError for all that JSON has no type for."""
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
    raise NotPlainError("it holds more than plain data")


def _text(key: Node) -> str:
    if isinstance(key, Scalar) and key.kind == "str":
        return str(plain(key))
    raise NotPlainError("it holds a key that is no text")
