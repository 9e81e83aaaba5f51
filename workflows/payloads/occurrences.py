"""Where a text occurs within stored payloads.

What is searched is the redacted tree that pages show: a redacted value is never found. Most values
do not hold the text at all; what is read of them first is only whether their bytes could.
"""

from __future__ import annotations

import struct
from base64 import b64decode
from dataclasses import dataclass

from dboshub.workflows.payloads import GO, PICKLE, PICKLED, unwrapped
from dboshub.workflows.payloads.inline import cut
from dboshub.workflows.payloads.paths import Path, leaves
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.stdlib_types import READERS
from dboshub.workflows.payloads.tree import Failure, Node, Raw, Scalar

NUMBERS = ("int", "float")
EXCERPT_LENGTH = 80
# Objects of these modules are shown as a text that is not in their bytes.
CONVERTED = tuple({name.partition(".")[0].encode() for name in READERS} - {b"builtins"})


@dataclass(frozen=True, slots=True)
class Occurrence:
    """The path of a value within a payload, and the value, cut around what was sought."""

    path: Path
    excerpt: str


@dataclass(frozen=True, slots=True)
class Sought:
    """A text to find in payloads: anywhere in texts, ignoring case, and as a whole number."""

    text: str
    number: str
    pickled: tuple[bytes, ...]

    @classmethod
    def of(cls, text: str) -> Sought:
        given = text.strip()
        return cls(given.casefold(), given, _pickled_numbers(given))

    def find(self, stored: str, serialization: str | None, *, longest: int) -> Occurrence | None:
        """The first occurrence in the first `longest` characters of a stored payload."""
        is_cut = len(stored) > longest
        text = stored[:longest]
        if not self.may_be_in(text, serialization):
            return None
        node = readable(text, serialization, limit=longest, is_cut=is_cut)
        return next(
            (
                Occurrence(path, self._excerpt(leaf))
                for path, leaf in leaves(node)
                if self._is(leaf)
            ),
            None,
        )

    def may_be_in(self, stored: str, serialization: str | None) -> bool:
        """False only if no value of a stored payload holds the text."""
        if serialization == GO:
            stored = unwrapped(stored) or stored
        elif serialization == PICKLE or (serialization is None and stored.startswith(PICKLED)):
            digits = "".join(stored.split())
            try:
                data = b64decode(digits[: len(digits) & ~3])
            except ValueError:
                return True
            if any(each in data for each in (*self.pickled, *CONVERTED)):
                return True
            # A text begins with no continuation byte: what is left out before it takes none of it.
            stored = data.decode("utf-8", "ignore")
        # JSON can write any character as an escape.
        return "\\" in stored or self.text in stored.casefold()

    def _is(self, leaf: Node) -> bool:
        match leaf:
            case Scalar(kind=kind, text=text) if kind in NUMBERS:
                return text == self.number
            case Scalar(kind="none" | "redacted" | "bool"):
                return False
            case Failure(class_name=name, message=message):
                return self.text in f"{name}: {message}".casefold()
            case Scalar(text=text) | Raw(text=text):
                return self.text in text.casefold()
        return False

    def _excerpt(self, leaf: Node) -> str:
        if isinstance(leaf, Failure):
            text = f"{leaf.class_name.rpartition('.')[2]}: {leaf.message}"
        else:
            text = leaf.text if isinstance(leaf, Scalar | Raw) else ""
        start = max(0, text.casefold().find(self.text) - EXCERPT_LENGTH // 2)
        before = "…" if start else ""
        return cut(iter([before, text[start : start + 2 * EXCERPT_LENGTH]]), EXCERPT_LENGTH)


def _pickled_numbers(text: str) -> tuple[bytes, ...]:
    """What a pickle of this number contains: little-endian bytes, or those of a double."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    else:
        size = (number.bit_length() + 8) // 8
        data = number.to_bytes(size, "little", signed=True)
        # Without the sign byte, which short forms leave out.
        return (data[:-1] if size > 1 and data[-1] in (0, 255) else data,)
    try:
        return (struct.pack(">d", float(text)),)
    except (ValueError, OverflowError):
        return ()
