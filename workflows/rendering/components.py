"""HTML that every page shares: status pills, icons, times and durations. Times are epoch ms."""

from __future__ import annotations

from functools import cache

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dboshub.workflows import statuses
from dboshub.workflows.clock import now_ms
from dboshub.workflows.rendering import time_format

NOTHING = format_html('<span class="none">{}</span>', "\N{EN DASH}")


@cache
def sprite() -> str:
    """The URL of the icon sprite; cached, because hashed storage looks it up on each call."""
    return static("dboshub/img/icons.svg")


def icon(name: str, label: str = "") -> SafeString:
    """An icon of the sprite; hidden from screen readers unless it has a label."""
    if not label:
        return _plain_icon(name)
    return _icon(name, format_html('role="img" aria-label="{}"', label))


@cache
def _plain_icon(name: str) -> SafeString:
    return _icon(name, format_html('aria-hidden="{}"', "true"))


def _icon(name: str, accessible: SafeString) -> SafeString:
    return format_html(
        '<svg class="icon" width="16" height="16" {}><use href="{}#{}"></use></svg>',
        accessible,
        sprite(),
        name,
    )


def status_pill(token: str | None, note: str = "", why: str = "") -> SafeString:
    """A status as icon and word; the tooltip has the token and its meaning, or `why`."""
    style = statuses.status_style(token or "")
    more = format_html(' <span class="status-note">{}</span>', note) if note else ""
    return format_html(
        '<span class="status {}" title="{}: {}">{}{}{}</span>',
        style.css,
        style.token,
        why or style.meaning,
        icon(style.icon),
        style.word,
        more,
    )


def time_ago(ms: int | None, now: int | None = None) -> SafeString:
    """A time as its distance from `now` and its time of day; the tooltip has it in full."""
    if ms is None:
        return NOTHING
    clock = format_html(' <span class="clock">{}</span>', time_format.clock(ms, now or now_ms()))
    return _time(ms, now or now_ms(), clock)


def time_distance(ms: int | None, now: int | None = None) -> SafeString:
    """A time as its distance from `now` only: `42 s ago`, `in 3 min`."""
    return NOTHING if ms is None else _time(ms, now or now_ms(), SafeString())


def absolute_time(ms: int | None) -> SafeString:
    """A time in full; the tooltip has its distance from now."""
    if ms is None:
        return NOTHING
    return format_html(
        '<time class="moment" datetime="{}" title="{}">{}</time>',
        time_format.iso(ms),
        time_format.relative(ms, now_ms()),
        time_format.absolute(ms),
    )


def duration(ms: int | None) -> SafeString:
    """How long something took, in milliseconds."""
    if ms is None:
        return NOTHING
    return format_html('<span class="duration">{}</span>', time_format.duration(ms))


def elapsed(ms: int | None, now: int | None = None) -> SafeString:
    """The time since `ms`; static/dboshub/js/times.js keeps it counting."""
    if ms is None:
        return NOTHING
    return format_html(
        '<span class="duration going" data-since="{}">{}</span>',
        ms,
        time_format.duration((now or now_ms()) // 1_000 * 1_000 - ms // 1_000 * 1_000),
    )


def _time(ms: int, now: int, clock: SafeString) -> SafeString:
    return format_html(
        '<time class="when" datetime="{}" title="{}"><span data-relative>{}</span>{}</time>',
        time_format.iso(ms),
        time_format.absolute(ms),
        time_format.relative(ms, now),
        clock,
    )
