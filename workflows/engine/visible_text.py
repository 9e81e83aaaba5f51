"""Text that anybody may have written, made safe for a terminal, a log or a spreadsheet.

A name may hold ESC sequences that command a terminal, line breaks that forge a line of a log, and
characters that reverse the direction of what follows.
"""

from __future__ import annotations

import re

# Control characters, lone surrogates, what changes the direction of writing, line separators,
# byte order marks and tags, none of which can be seen.
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f"
)
UNSEEN = re.compile(f"[{_UNSEEN}]")


def visible(text: str, *, keep: str = "") -> str:
    """The text with such characters as escapes, except those in `keep`: ESC becomes ``\\x1b``."""
    if text.isascii() and text.isprintable():
        return text
    return UNSEEN.sub(lambda found: found[0] if found[0] in keep else _escape(found[0]), text)


def visible_json(text: str) -> str:
    """JSON of the same value in which such characters are escaped.

    They occur only in strings, except line breaks and tabs between members.
    """
    return UNSEEN.sub(lambda found: _json_escape(found[0]), text)


def _escape(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode() if ord(char) > 127 else _ascii(char)


def _ascii(char: str) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char, f"\\x{ord(char):02x}")


def _json_escape(char: str) -> str:
    if char in "\n\r\t":
        return char
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
