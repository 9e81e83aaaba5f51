"""The time zone that somebody chose."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from django.db import DatabaseError

from dboshub.models import Preference
from dboshub.workflows.rendering.time_zone import project_zone, zone_of_name


def chosen_zone(user: Any) -> str:
    """The name of the zone that somebody chose; empty if they did not."""
    if not user.is_authenticated:
        return ""
    names = Preference.objects.filter(user=user.pk).values_list("time_zone", flat=True)
    return names.first() or ""


def zone_of(user: Any) -> tzinfo:
    """The zone in which times are written for somebody: the project's while nobody can tell."""
    try:
        chosen = chosen_zone(user)
    except DatabaseError:
        return project_zone()
    # A name can be gone: the zones are those of this machine.
    return zone_of_name(chosen) or project_zone()
