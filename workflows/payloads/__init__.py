"""Reads stored payloads as inert trees: nothing is imported, looked up or called.

``read`` never raises. Its cost is bounded by ``limit``, not by the size to which a payload would
expand. Parts that cannot be read are labelled in the tree.
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
# Base64 of the opcode that begins every pickle since protocol 2. No JSON text begins like this.
PICKLED = "gA"


def read(
    text: str | None,
    serialization: str | None,
    *,
    limit: int = MAX_BYTES,
    is_cut: bool = False,
) -> Node:
    """The tree of a payload column, read in the format of its row.

    At most ``limit`` bytes are read; ``is_cut`` says that `text` is only the beginning of a value.
    Without a format, it is guessed from the text.
    """
    if text is None:
        return NONE
    if serialization == PICKLE or (serialization is None and text.startswith(PICKLED)):
        return read_pickle(text, max_bytes=limit, is_cut=is_cut)
    if is_cut or len(text) > limit:
        limit = min(limit, len(text))
        return Truncated(f"only the first {limit:,} characters are shown", raw(text[:limit]))
    if serialization == PORTABLE:
        return read_portable(text)
    if serialization == GO:
        return guessed(unwrapped(text) or text)
    if serialization is None or serialization in FOREIGN:
        return guessed(text)
    return raw(text)


def guessed(text: str) -> Node:
    """The tree of a JSON text, or the text itself if it is not JSON."""
    found = read_json(text)
    return raw(text) if isinstance(found, Malformed) else found


def unwrapped(text: str) -> str:
    """The JSON inside the base64 of the Go library; empty if it is not base64."""
    try:
        return b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def raw(text: str) -> Raw:
    return Raw(shown(text))
