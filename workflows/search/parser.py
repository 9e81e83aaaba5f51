"""Syntax of the search box: words, `key:value`, `-key:value`, and quotes around either.

It corresponds to the query string: `-queue:mail` in the box is `queue=!mail` in a URL. The
meaning of keys is defined in `terms`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# A key and its value as in a query string; the key of a bare word is "".
Term = tuple[str, str]

# A key, if there is one, then a quoted value (its last quote may be missing) or a bare one.
TERM = re.compile(
    r"""(?P<minus>-?)(?P<key>attr\.[^\s:"]+|[A-Za-z_]+):"""
    r"""(?:"(?P<quoted>(?:[^"\\]|\\.)*)(?:"|\\?$)|(?P<bare>\S*))"""
    r"""|"(?P<phrase>(?:[^"\\]|\\.)*)(?:"|\\?$)"""
    r"""|(?P<word>\S+)""",
    re.DOTALL,
)
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
PLAIN = re.compile(r'[^\s"\\][^\s]*')
ALIASES = {"application": "app", "workflow": "name", "fork": "forked_from", "statuses": "status"}


def read_box(text: str, problems: list[str]) -> list[Term]:
    """The terms of a search box, in order. Unknown keys are kept; problems are appended."""
    terms: list[Term] = []
    for found in TERM.finditer(text):
        if found["key"] is None:
            word = found["word"] if found["phrase"] is None else _unescaped(found["phrase"])
            terms.append(("", word))
            continue
        key = found["key"] if found["key"].startswith("attr.") else found["key"].lower()
        key = ALIASES.get(key, key)
        value = found["bare"] if found["quoted"] is None else _unescaped(found["quoted"])
        if not value:
            problems.append(f"{key}: has no value; write {key}:- for rows without one.")
        elif found["minus"]:
            terms.append((key, f"!{value}"))
        else:
            terms.append((key, value))
    return terms


def write_box(pairs: Iterable[Term]) -> str:
    """Terms as text of the search box; `read_box` returns the same terms."""
    return " ".join(write_term(key, value) for key, value in pairs)


def write_term(key: str, value: str) -> str:
    minus, said = ("-", value[1:]) if value.startswith("!") and value.strip("!") else ("", value)
    return f"{minus}{key}:{quoted(said)}"


def quoted(value: str, *, always: bool = False) -> str:
    """A value, in quotes if it needs them: a word with a colon always does."""
    if not always and PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def exactly(value: str) -> str:
    """The value with `=` before it if it would otherwise be read as an operator."""
    is_sign = value[:1] in ("!", "=") or value.endswith("*") or value == "-"
    return f"={value}" if is_sign else value


def _unescaped(text: str) -> str:
    return ESCAPED.sub(r"\1", text)
