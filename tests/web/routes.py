"""Every route of the project, read from the URL resolver, so that no walk can forget one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

PART = re.compile(r"<(?:(\w+):)?(\w+)>")


@dataclass(frozen=True, slots=True)
class Route:
    """One route: its name with its namespace, its address as it is written, its view."""

    name: str
    address: str
    view: Any

    @property
    def parts(self) -> list[tuple[str, str]]:
        """Its variable parts: the kind and the name of each."""
        return PART.findall(self.address)

    def at(self, given: Mapping[str, str]) -> str:
        """Its address with these parts, which are written as they are."""
        return "/" + PART.sub(lambda part: given[part[2]], self.address)


def routes() -> list[Route]:
    """All but the admin site's, which Django makes, and what needs a prefix to match."""
    found = _walk(get_resolver().url_patterns)
    return [
        each
        for each in found
        if not each.address.startswith("admin/") and each.name != "dboshub:unknown"
    ]


def _walk(patterns: list[Any], space: str = "", before: str = "") -> Iterator[Route]:
    for pattern in patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, inner, address)
        elif isinstance(pattern, URLPattern):
            yield Route(f"{space}{pattern.name}", address, pattern.callback)
