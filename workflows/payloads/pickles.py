"""Reads a pickle as an inert tree: only opcodes, nothing is imported, looked up or called.

At a limit, a ``Truncated`` node contains what was read so far; at a defect, a ``Malformed`` node
does. Nothing raises. Neither this module nor ``pickle_machine`` may use an Unpickler, not even a
restricted one.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from dboshub.workflows.payloads.pickle_machine import UNSET, Machine, UnreadableError
from dboshub.workflows.payloads.tree import Malformed, Node, Truncated, shown
from dboshub.workflows.payloads.tree_builder import freeze

MAX_BYTES = 1 << 20
MAX_OPS = 200_000
EXCERPT = 2_000


def read_pickle(text: str, *, max_bytes: int = MAX_BYTES, max_ops: int = MAX_OPS) -> Node:
    """The tree of a base64 pickle as DBOS stores it."""
    # Four characters encode three bytes. The text may contain line breaks.
    wanted = (max_bytes + 2) // 3 * 4
    head = "".join(text[: wanted + wanted // 32].split())
    whole = len(head) <= wanted and len(text) <= wanted + wanted // 32
    try:
        data = b64decode(head[:wanted], validate=True)
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
        return Truncated(f"only the first {len(data):,} bytes were read", left(machine))
    if not finished:
        return Truncated(f"only the first {max_ops:,} operations were read", left(machine))
    return freeze(machine.result)


def left(machine: Machine) -> Node | None:
    built: Any = machine.partial()
    return None if built is UNSET else freeze(built)


def reason(error: Exception) -> str:
    return shown(str(error))[:200] or type(error).__name__


def excerpt(data: bytes) -> str:
    return repr(data[:EXCERPT])[2:-1]
