"""Names that an operator's patterns match, such as ``*_token``. Case is ignored, ``-`` is ``_``."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache

# A name before what follows a name in JSON, in assignments, in headers and in XML.
# Possessive, so that no text takes more time than its length.
LABEL = re.compile(r"""(?<![\w-])([\w-]++)[\\"'\])]*+\s*+[:=>]""")
ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")


class NamePatterns:
    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = tuple(patterns)
        found = [f"({translate(_plain(pattern))})" for pattern in self._patterns]
        self._names = re.compile("|".join(found)) if found else None

    @property
    def is_empty(self) -> bool:
        return self._names is None

    def match(self, name: str) -> str | None:
        """The first pattern that matches a name."""
        found = None if self._names is None else self._names.match(_plain(name))
        return None if found is None else self._patterns[(found.lastindex or 1) - 1]

    def label_in(self, text: str) -> str | None:
        """The pattern of a name to which a text, in whatever format, seems to give a value."""
        if self._names is None:
            return None
        plain = ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
        return next(filter(None, map(self.match, LABEL.findall(plain))), None)


@lru_cache(maxsize=8)
def name_patterns(patterns: tuple[str, ...]) -> NamePatterns:
    """The patterns, compiled once."""
    return NamePatterns(patterns)


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
