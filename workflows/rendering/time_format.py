"""Formats epoch milliseconds and durations in English. The time zone is always UTC."""

from __future__ import annotations

from datetime import UTC, datetime

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
UNITS = ((DAY, "d", HOUR, "h"), (HOUR, "h", MINUTE, "min"), (MINUTE, "min", SECOND, "s"))
MAX_MS = 253_402_300_799_999  # the end of the year 9999, the last that datetime knows


def utc_datetime(ms: int) -> datetime:
    return datetime.fromtimestamp(min(max(ms, 0), MAX_MS) / 1_000, UTC)


def absolute(ms: int) -> str:
    """`2026-01-31 13:00:05.120 UTC`."""
    return utc_datetime(ms).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")


def iso(ms: int) -> str:
    """ISO 8601, as `<time datetime>` and scripts read it."""
    return utc_datetime(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def clock(ms: int, now: int) -> str:
    """The time of day, with the date unless it is today."""
    then = utc_datetime(ms)
    if then.date() == utc_datetime(now).date():
        return then.strftime("%H:%M:%S")
    return then.strftime("%d %b %H:%M" if then.year == utc_datetime(now).year else "%d %b %Y %H:%M")


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
