"""Template tags that every page shares: status pills, icons, times, durations, numbers."""

from __future__ import annotations

from django import template

from dboshub.workflows.actions.audit import may_act
from dboshub.workflows.django_settings import is_read_only
from dboshub.workflows.invocation import command
from dboshub.workflows.rendering import components
from dboshub.workflows.rendering.chart_svg import chart_columns
from dboshub.workflows.rendering.time_zone import project_zone_name, zone_name

register = template.Library()

register.simple_tag(chart_columns)
register.simple_tag(components.icon)
register.simple_tag(components.status_pill, name="status")
register.simple_tag(components.time_ago, name="when")
register.simple_tag(components.time_distance, name="distance")
register.simple_tag(components.absolute_time, name="moment")
register.simple_tag(components.duration)
register.simple_tag(components.elapsed, name="since")
register.simple_tag(is_read_only, name="read_only")
register.simple_tag(command)
register.simple_tag(zone_name)
register.simple_tag(project_zone_name)
register.filter("may_act", may_act)


@register.filter
def thousands(number: int | None) -> str:
    """`12,345`."""
    return "" if number is None else f"{number:,}"
