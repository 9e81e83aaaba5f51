"""Stored payloads as inert trees: nothing is imported, looked up or called, whatever is stored.

``read`` never raises. What it costs is bounded by ``limit``, never by what a payload would expand
to; what could not be read is labelled in the tree.
"""

from __future__ import annotations

from base64 import b64decode

from dboshub.workflows.payloads.pickles import MAX_BYTES, read_pickle
from dboshub.workflows.payloads.portable import read_json, read_portable
from dboshub.workflows.payloads.tree import NONE, Malformed, Node, Raw, Truncated, shown

PICKLE = "py_pickle"
PORTABLE = "portable_json"
GO = "DBOS_JSON"
FOREIGN = frozenset({"js_superjson", "java_jackson"})
# Base64 of the opcode that starts every pickle since protocol 2; no JSON text starts like this.
PICKLED = "gA"


def read(text: str | None, serialization: str | None, *, limit: int = MAX_BYTES) -> Node:
    """The tree of a payload column, read as its row's format says.

    At most ``limit`` bytes are read. Without a format, the text says what it is.
    """
    if text is None:
        return NONE
    if serialization == PICKLE or (serialization is None and text.startswith(PICKLED)):
        return read_pickle(text, max_bytes=limit)
    if len(text) > limit:
        return Truncated(f"only the first {limit:,} characters are shown", raw(text[:limit]))
    if serialization == PORTABLE:
        return read_portable(text)
    if serialization == GO:
        return guessed(unwrapped(text) or text)
    if serialization is None or serialization in FOREIGN:
        return guessed(text)
    return raw(text)


def guessed(text: str) -> Node:
    """JSON where it is JSON, or the text itself."""
    found = read_json(text)
    return raw(text) if isinstance(found, Malformed) else found


def unwrapped(text: str) -> str:
    """The JSON in the base64 that Go's library puts around it; empty if there is none."""
    try:
        return b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def raw(text: str) -> Raw:
    return Raw(shown(text))
