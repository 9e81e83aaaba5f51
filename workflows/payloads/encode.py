"""Encodes plain JSON values in the format of a row.

Workers unpickle what a page writes. Only the seven JSON types are accepted, checked by exact type
and encoded here: stored or submitted bytes are never passed through.
"""

from __future__ import annotations

import json
import math
from base64 import b64encode
from collections.abc import Iterator
from pickle import dumps
from typing import Any

from dboshub.workflows.payloads import PICKLE, PORTABLE

MAX_DEPTH = 60
MAX_PARTS = 100_000
# Python refuses to convert longer numbers to decimal.
MAX_BITS = 12_000


class NotPlainError(ValueError):
    """A page cannot write the value, or the format of the row; the message says why."""


def encode(value: Any, serialization: str | None) -> str:
    """The value as text for a column of this format; a row without format is read as a pickle.

    Raises NotPlainError for anything but None, bool, int, float, str, list and dict.
    """
    check(value)
    return written(value, serialization)


def encode_arguments(args: list[Any], kwargs: dict[str, Any], serialization: str | None) -> str:
    """The arguments of a call in the envelope of this format. Raises NotPlainError."""
    check([args, kwargs])
    if serialization == PORTABLE:
        return written({"positionalArgs": args, "namedArgs": kwargs}, serialization)
    return written({"args": tuple(args), "kwargs": kwargs}, serialization)


def written(value: Any, serialization: str | None) -> str:
    if serialization == PORTABLE:
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if serialization in (None, PICKLE):
        return b64encode(dumps(value)).decode()
    raise NotPlainError(f"values in the format {serialization!r} can only be written by its owner")


def check(value: Any) -> None:
    """Raise NotPlainError, naming the part, if the value is not plain data."""
    # Level by level: a deep or circular value must not exhaust the stack.
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [part for each in level for part in parts(each)]
        if not level:
            return
        if len(level) > MAX_PARTS:
            raise NotPlainError(f"the value has more than {MAX_PARTS:,} parts")
    raise NotPlainError(f"the value is nested more than {MAX_DEPTH} levels deep")


def parts(value: Any) -> Iterator[Any]:
    kind = type(value)
    if kind is list:
        yield from value
    elif kind is dict:
        yield from value.values()
        for key in value:
            if type(key) is not str:
                raise NotPlainError(f"the key {key!r} is not text")
            check_text(key)
    elif kind is str:
        check_text(value)
    elif kind is float and not math.isfinite(value):
        raise NotPlainError(f"{value!r} is not a number that JSON knows")
    elif kind is int and value.bit_length() > MAX_BITS:
        raise NotPlainError("the number has thousands of digits")
    elif value is not None and kind not in (bool, int, float):
        raise NotPlainError(f"a value of type {kind.__name__} is not plain data")


def check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotPlainError("the text holds half of a character pair") from None
