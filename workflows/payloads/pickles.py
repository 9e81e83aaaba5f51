"""Reads a pickle as an inert tree: only opcodes, nothing is imported, looked up or called.

At a limit, a ``Truncated`` node contains what was read so far; at a defect, a ``Malformed`` node
does. Nothing raises. Neither this module nor ``pickle_machine`` may use an Unpickler, not even a
restricted one.
"""

from __future__ import annotations

from base64 import b64decode
from contextlib import suppress
from io import BytesIO
from pickletools import genops
from typing import Any

from dboshub.workflows.payloads.pickle_machine import UNSET, Box, Machine, UnreadableError
from dboshub.workflows.payloads.tree import Malformed, Node, Truncated, shown
from dboshub.workflows.payloads.tree_builder import freeze

MAX_BYTES = 1 << 20
MAX_OPS = 200_000
EXCERPT = 2_000


# Opcodes of texts and bytes, with the number of bytes that say how long the value is.
LENGTHS = {b"\x8c": 1, b"X": 4, b"\x8d": 8, b"C": 1, b"B": 4, b"\x8e": 8}
TEXTS = (b"\x8c", b"X", b"\x8d")


def read_pickle(
    text: str, *, max_bytes: int = MAX_BYTES, max_ops: int = MAX_OPS, is_cut: bool = False
) -> Node:
    """The tree of a base64 pickle as DBOS stores it; `is_cut` says that `text` is a beginning."""
    # Four characters encode three bytes. The text may contain line breaks.
    wanted = (max_bytes + 2) // 3 * 4
    head = "".join(text[: wanted + wanted // 32].split())
    whole = not is_cut and len(head) <= wanted and len(text) <= wanted + wanted // 32
    head = head[:wanted]
    try:
        data = b64decode(head if whole else head[: len(head) // 4 * 4], validate=True)
    except ValueError:
        return Malformed("not base64 text", shown(text[:EXCERPT]))
    return read_bytes(data, whole=whole, max_ops=max_ops)


def read_bytes(data: bytes, *, whole: bool = True, max_ops: int = MAX_OPS) -> Node:
    """The tree of a pickle. ``whole`` is False if ``data`` is only its beginning."""
    machine = Machine()
    try:
        finished = machine.run(data, max_ops)
    except Exception as error:
        if whole or isinstance(error, UnreadableError):
            why = f"not a readable pickle: {reason(error)}"
            return Malformed(why, excerpt(data), left(machine))
        machine.stack += _cut_value(data)
        return Truncated(f"only the first {len(data):,} bytes were read", left(machine))
    if not finished:
        return Truncated(f"only the first {max_ops:,} operations were read", left(machine))
    return freeze(machine.result)


def _cut_value(data: bytes) -> list[str | bytes]:
    """The beginning of the text or of the bytes in which `data` ends."""
    stream, end = BytesIO(data), 0
    with suppress(ValueError):
        for _ in genops(stream):
            end = stream.tell()
    opcode = data[end : end + 1]
    if opcode not in LENGTHS:
        return []
    value = data[end + 1 + LENGTHS[opcode] :]
    return [value.decode(errors="ignore") if opcode in TEXTS else value]


def left(machine: Machine) -> Node | None:
    machine.partial()
    _nest(machine.stack)
    built: Any = machine.partial()
    return None if built is UNSET else freeze(built)


def _nest(stack: list[Any]) -> None:
    """Put the last values of a stack into the mapping or list that was to get them next."""
    while len(stack) > 1:
        owner, item = stack[-2:]
        if isinstance(owner, Box) and owner.kind == "list":
            owner.items.append(item)
            del stack[-1:]
        elif len(stack) > 2 and isinstance(stack[-3], Box) and stack[-3].kind == "dict":
            stack[-3].pairs.append((owner, item))
            del stack[-2:]
        else:
            return


def reason(error: Exception) -> str:
    return shown(str(error))[:200] or type(error).__name__


def excerpt(data: bytes) -> str:
    return repr(data[:EXCERPT])[2:-1]
