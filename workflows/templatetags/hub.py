"""Tags every page shares: statuses, icons, times, durations, numbers. They read no database."""

from __future__ import annotations

import time
from functools import cache

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dboshub.workflows import statuses
from dboshub.workflows.rendering import time_format

register = template.Library()

NOTHING = format_html('<span class="none">{}</span>', "\N{EN DASH}")


@cache
def sprite() -> str:
    """Where the icons are; asked once, because hashed storage looks it up each time."""
    return static("dboshub/img/icons.svg")


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; decoration, unless it has a label of its own."""
    said = format_html('role="img" aria-label="{}"', label) if label else _hidden()
    return format_html(
        '<svg class="icon" width="16" height="16" {}><use href="{}#{}"></use></svg>',
        said,
        sprite(),
        name,
    )


@register.simple_tag
def status(token: str | None, note: str = "") -> SafeString:
    """The status pill: icon, word, and the token with its meaning for whoever points at it."""
    look = statuses.look(token or "")
    more = format_html(' <span class="status-note">{}</span>', note) if note else ""
    return format_html(
        '<span class="status {}" title="{}: {}">{}{}{}</span>',
        look.css,
        look.token,
        look.meaning,
        icon(look.icon),
        look.word,
        more,
    )


@register.simple_tag
def when(ms: int | None, now: int | None = None) -> SafeString:
    """A time: how long ago and the time of day; in full for whoever points at it."""
    if ms is None:
        return NOTHING
    clock = format_html(' <span class="clock">{}</span>', time_format.clock(ms, now or now_ms()))
    return _time(ms, now or now_ms(), clock)


@register.simple_tag
def distance(ms: int | None, now: int | None = None) -> SafeString:
    """A time as its distance from now alone: `42 s ago`, `in 3 min`."""
    return NOTHING if ms is None else _time(ms, now or now_ms(), SafeString())


@register.simple_tag
def moment(ms: int | None) -> SafeString:
    """A time in full."""
    if ms is None:
        return NOTHING
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        time_format.iso(ms),
        time_format.relative(ms, now_ms()),
        time_format.absolute(ms),
    )


@register.simple_tag
def duration(ms: int | None) -> SafeString:
    """How long something took."""
    if ms is None:
        return NOTHING
    return format_html('<span class="duration">{}</span>', time_format.duration(ms))


@register.simple_tag
def since(ms: int | None, now: int | None = None) -> SafeString:
    """How long something has been going on; static/js/times.js keeps it counting."""
    if ms is None:
        return NOTHING
    return format_html(
        '<span class="duration going" data-since="{}">{}</span>',
        ms,
        time_format.duration((now or now_ms()) // 1_000 * 1_000 - ms // 1_000 * 1_000),
    )


@register.filter
def thousands(number: int | None) -> str:
    """`12,345`."""
    return "" if number is None else f"{number:,}"


def _time(ms: int, now: int, clock: SafeString) -> SafeString:
    return format_html(
        '<time class="when" datetime="{}" title="{}"><span data-relative>{}</span>{}</time>',
        time_format.iso(ms),
        time_format.absolute(ms),
        time_format.relative(ms, now),
        clock,
    )


def now_ms() -> int:
    return int(time.time() * 1_000)


def _hidden() -> SafeString:
    return format_html('aria-hidden="{}"', "true")
