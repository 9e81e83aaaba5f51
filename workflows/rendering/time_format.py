"""Formats epoch milliseconds and durations in English, times in the zone of who looks.

static/dboshub/js/zones.js writes times in the same way.
"""

from __future__ import annotations

from datetime import UTC, datetime

from dboshub.workflows.rendering.time_zone import current_zone, zone_name

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
UNITS = ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", SECOND, "s"))
MAX_MS = 253_402_300_799_999  # the end of the year 9999, the last that datetime knows


def utc_datetime(ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(ms, 0), MAX_MS) / 1_000, UTC)


def local_datetime(ms: int) -> datetime:
    """The time in the current zone."""
    try:
        return utc_datetime(ms).astimezone(current_zone())
    except OverflowError:  # beyond the year 9999 there
        return utc_datetime(ms)


def absolute(ms: int) -> str:
    """`2026-01-31 13:00:05.120 UTC`, or `2026-01-31 14:00:05.120 +01:00 Europe/Berlin`."""
    text, name = local_datetime(ms).isoformat(sep=" ", timespec="milliseconds"), zone_name()
    if name == "UTC":
        return text.replace("+00:00", " UTC")
    return f"{text[:23]} {text[23:29]} {name}"


def minute(ms: int) -> str:
    """`2026-01-31 13:00`."""
    return local_datetime(ms).strftime("%Y-%m-%d %H:%M")


def iso_local(ms: int) -> str:
    """ISO 8601 with the offset of the current zone, `Z` in UTC."""
    return local_datetime(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso(ms: int) -> str:
    """ISO 8601, as `<time datetime>` and scripts read it."""
    return utc_datetime(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(ms: int, now: int) -> str:
    """The time of day, with the date unless it is today."""
    then, today = local_datetime(ms), local_datetime(now)
    if then.date() == today.date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%d %b %H:%M" if then.year == today.year else "%d %b %Y %H:%M")


def relative(ms: int, now: int) -> str:
    """`just now`, `42 s ago`, `in 3 min`; the same units as static/dboshub/js/times.js."""
    distance = abs(now - ms)
    if distance < SECOND:
        return "just now"
    size, unit = next(
        (size, unit)
        for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
        if distance >= size
    )
    words = f"{distance // size} {unit}"
    return f"{words} ago" if ms <= now else f"in {words}"


def duration(ms: int) -> str:
    """Two units at most: `340 ms`, `4.21 s`, `3 min 20 s`, `2 d 4 h`."""
    ms = max(0, ms)
    if ms < SECOND:
        return f"{ms} ms"
    if ms < MINUTE:
        return f"{ms / SECOND:.2f}".rstrip("0").rstrip(".") + " s"
    large, name, small, rest = next(unit for unit in UNITS if ms >= unit[0])
    left = ms % large // small
    return f"{ms // large} {name} {left} {rest}" if left else f"{ms // large} {name}"
