"""Formats the results of commands: as JSON, or as lines and tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dboshub.workflows.engine.visible_text import visible, visible_json

MAX_CELL_WIDTH = 48  # characters of a cell; one value alone is shown whole
TIMES = ("_at", "_epoch_ms", "timestamp", "time_bucket")


def rendered(answer: Any, *, as_json: bool) -> str:
    """The result as text: rows as a table, a dict as lines, anything else unchanged."""
    if as_json:
        return visible_json(json.dumps(answer, indent=2, ensure_ascii=False, default=str))
    if isinstance(answer, Mapping):
        return _lines(answer)
    if isinstance(answer, list):
        return _table([each if isinstance(each, Mapping) else {"": each} for each in answer])
    return visible(str(answer), keep="\n\t")


def _lines(answer: Mapping[str, Any]) -> str:
    shown = {
        visible(key): visible(text, keep="\n\t")
        for key, value in answer.items()
        if (text := _text(key, value))
    }
    width = max(map(len, shown), default=0) + 1
    lines = (f"{key + ':':{width}} {text}" for key, text in shown.items())
    return "\n".join(line.replace(" \n", "\n", 1) for line in lines)


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table without empty columns."""
    cells = [{key: _cell(_text(key, value)) for key, value in row.items()} for row in rows]
    widths = {
        key: max(len(key), *(len(row.get(key, "")) for row in cells))
        for key in dict.fromkeys(key for row in cells for key in row)
        if any(row.get(key) for row in cells)
    }
    if not widths:
        return "Nothing found."
    lines = [] if [*widths] == [""] else [{key: key for key in widths}]
    return "\n".join(
        "  ".join(f"{row.get(key, ''):{width}}" for key, width in widths.items()).rstrip()
        for row in [*lines, *cells]
    )


def _cell(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= MAX_CELL_WIDTH else f"{line[: MAX_CELL_WIDTH - 1]}…"


def _text(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and key.endswith(TIMES):
        return _moment(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_text(name, each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        nested = value and all(isinstance(each, Mapping) for each in value)
        return _nested(value) if nested else ", ".join(_text("", each) for each in value)
    return str(value)


def _nested(values: Sequence[Mapping[str, Any]]) -> str:
    """Mappings in a value, each as indented lines after a dash."""
    lines = (_lines(each).split("\n") for each in values)
    return "".join(
        f"\n  {'-' if at == 0 else ' '} {line}" for each in lines for at, line in enumerate(each)
    )


def _moment(epoch_ms: int) -> str:
    try:
        moment = datetime.fromtimestamp(epoch_ms / 1_000, tz=UTC)
    except (OverflowError, ValueError, OSError):
        return str(epoch_ms)
    return moment.isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")
