"""Reads JSON that another program may have stored, with limits, and without a crash.

`json.loads` raises RecursionError for deep nesting, returns trees that are too deep to walk,
refuses long numbers, and returns lone surrogates, which no page and no database can encode.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

MAX_DEPTH = 60
Parse = Callable[[str], Any]


class UnreadableJsonError(ValueError):
    """The text is not JSON, or is nested too deep; the message says which."""


def stored_json(text: str, *, parse_number: Parse | None = None) -> Any:
    """The value of a stored JSON text; `parse_number` gets the digits of every number.

    Lone surrogates are escaped, and NaN and Infinity are None. Raises UnreadableJsonError for what
    is not JSON and for more than MAX_DEPTH levels.
    """
    try:
        found = json.loads(
            text, parse_int=parse_number, parse_float=parse_number, parse_constant=_nothing
        )
    except (TypeError, ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UnreadableJsonError(reason) from None
    return _encodable(found, MAX_DEPTH)


def readable_json(text: str | None) -> Any:
    """The value of a stored JSON text; None if there is none, or it cannot be read."""
    try:
        return None if text is None else stored_json(text)
    except UnreadableJsonError:
        return None


def stored_texts(text: str | None) -> list[str]:
    """A stored JSON list of texts; what is no list, and members that are no text, are left out."""
    found = readable_json(text)
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _nothing(_: str) -> None:
    return None


def _encodable(value: Any, levels: int) -> Any:
    if isinstance(value, list | dict) and not levels:
        raise UnreadableJsonError(f"nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, list):
        return [_encodable(each, levels - 1) for each in value]
    if isinstance(value, dict):
        return {_encodable(key, 0): _encodable(each, levels - 1) for key, each in value.items()}
    # A subclass is what `parse_number` made: digits, which are ASCII.
    return _without_surrogates(value) if type(value) is str else value


def _without_surrogates(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
