"""Every route of the project, read from the URL resolver, so that no walk can forget one.

The tests of the installed package run a copy of this file: it imports nothing of the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from dboshub.queues.forms import control
from dboshub.schedules.forms import control as schedule_forms
from dboshub.workflows.forms import executor_forms, workflow_forms

PART = re.compile(r"<(?:(\w+):)?(\w+)>")

# What the variable parts of an address name, by route where it is a name: each thing is there.
THERE = {
    "view_id": ["1"],
    "event_id": ["1"],
    "job_id": ["1"],
    "function_id": ["1"],
    "workflow_id": ["w"],
    "key": ["an_export"],
    "target": ["e1"],
    "kind": ["queue"],
    "dboshub:incident key": ["q"],
    "dboshub:workflows:start name": ["checkout"],
    "dboshub:queues:detail name": ["q"],
    "dboshub:queues:do name": ["q"],
    "dboshub:schedules:detail name": ["s"],
    "dboshub:schedules:do name": ["s"],
    "dboshub:workflows:do verb": [*workflow_forms.FORMS],
    "dboshub:workflows:steer verb": [*executor_forms.FORMS],
    "dboshub:queues:do verb": [*control.FORMS],
    "dboshub:schedules:do verb": [*schedule_forms.FORMS, "change"],
}


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


def things(route: Route) -> dict[str, list[str]]:
    """What each variable part of a route may name."""
    names = [name for _, name in route.parts]
    return {name: THERE.get(f"{route.name} {name}") or THERE[name] for name in names}


def places(route: Route) -> Iterator[str]:
    """The addresses of a route at which something is."""
    there = things(route)
    for found in product(*there.values()):
        yield route.at(dict(zip(there, found, strict=True)))


def _walk(patterns: list[Any], space: str = "", before: str = "") -> Iterator[Route]:
    for pattern in patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _walk(pattern.url_patterns, inner, address)
        elif isinstance(pattern, URLPattern):
            yield Route(f"{space}{pattern.name}", address, pattern.callback)
