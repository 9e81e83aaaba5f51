"""The Python code blocks of the documents, cut out of them as they stand."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCUMENTS = Path(__file__).parent / "documents"
FENCED = re.compile(r"^ *```python\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)
# How code begins in a page whose blocks have lost their fences.
BEGINNING = re.compile(r"(from \w+ import |import \w+$|@\w+\.|with \w+\(|(result|handle) = )")


@dataclass(frozen=True)
class Block:
    """One block: its document, its place among the document's blocks from 1, its code."""

    document: str
    number: int
    code: str

    @property
    def name(self) -> str:
        return f"{self.document}-{self.number}"


def blocks() -> list[Block]:
    """Every block of every document, in order."""
    return [
        Block(file.stem, number, code)
        for file in sorted(DOCUMENTS.iterdir())
        for number, code in enumerate(_codes(file.read_text("utf-8")), 1)
    ]


def _codes(text: str) -> Iterator[str]:
    if "```" not in text:
        yield from _unfenced(text.splitlines(keepends=True))
    for found in FENCED.finditer(text):
        yield textwrap.dedent(found["code"])


def _unfenced(lines: list[str]) -> Iterator[str]:
    """The longest run of lines that is Python, from each line that begins like it."""
    at = 0
    while at < len(lines):
        length = _longest(lines[at:]) if BEGINNING.match(lines[at]) else 0
        if length:
            yield "".join(lines[at : at + length])
        at += length or 1


def _longest(lines: list[str]) -> int:
    return max((size for size in range(1, len(lines) + 1) if _is_python(lines[:size])), default=0)


def _is_python(lines: list[str]) -> bool:
    try:
        ast.parse("".join(lines))
    except SyntaxError:
        return False
    return True
