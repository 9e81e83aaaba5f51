"""The time zone in which times are written: that of the person who looks, or the project's.

A page is written in the zone of its reader. What is pushed to many readers at once is written in
the project's zone, and static/dboshub/js/zones.js rewrites it in the zone of each page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from datetime import UTC, tzinfo
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings

# Who has which zone is known to the pages as a whole, which import this module.
_zone_of: Callable[[Any], tzinfo] | None = None
_zone: ContextVar[Callable[[], tzinfo] | None] = ContextVar("dboshub_zone", default=None)


@contextmanager
def shown_in(zone: Callable[[], tzinfo]) -> Iterator[None]:
    """Write times in this zone, which is asked for when the first one is written."""
    token = _zone.set(cache(zone))
    try:
        yield
    finally:
        _zone.reset(token)


def serve_zones(zone_of: Callable[[Any], tzinfo]) -> None:
    """Make this function tell the zone of each person."""
    global _zone_of
    _zone_of = zone_of


def shown_to(user: Any) -> AbstractContextManager[None]:
    """Write times in the zone of this person."""
    zone_of = _zone_of
    return nullcontext() if zone_of is None else shown_in(lambda: zone_of(user))


def current_zone() -> tzinfo:
    found = _zone.get()
    return project_zone() if found is None else found()


def zone_name(zone: tzinfo | None = None) -> str:
    """The name of a zone as people choose it, such as `Europe/Berlin`; of the current one if none
    is given."""
    zone = zone or current_zone()
    return str(getattr(zone, "key", zone))


def project_zone_name() -> str:
    return zone_name(project_zone())


def project_zone() -> tzinfo:
    """The zone of the setting TIME_ZONE, or UTC."""
    return zone_of_name(settings.TIME_ZONE or "") or UTC


@cache
def zone_of_name(name: str) -> tzinfo | None:
    """The zone of an IANA name; None if there is none."""
    return ZoneInfo(name) if name in zone_names() else None


@cache
def zone_names() -> tuple[str, ...]:
    """All names that somebody may choose, in order."""
    return tuple(sorted(each for each in available_timezones() if each != "localtime"))
