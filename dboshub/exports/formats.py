"""Rows as CSV or NDJSON, in UTF-8. Times are ISO 8601 in the zone of who exports."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

from dboshub.workflows.engine.visible_text import visible, visible_json

FORMATS = {"csv": "CSV", "ndjson": "NDJSON"}
MIME_TYPES = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson; charset=utf-8"}
# Characters at which spreadsheets begin a formula, also after blanks and in full width.
FORMULA = re.compile(r"\s*[=+\-@\u2212\uff0b\uff0d\uff1d\uff20\ufe63\ufe66\ufe6b\ufe62]|[\t\r\n]")

Record = Mapping[str, Any]


def head(format: str, columns: Sequence[str]) -> bytes:
    """The bytes before the first row."""
    return _csv([columns]) if format == "csv" else b""


def lines(format: str, columns: Sequence[str], records: Sequence[Record]) -> bytes:
    """Some rows. Every record has every column."""
    if format == "csv":
        return _csv([[cell(record[name]) for name in columns] for record in records])
    return b"".join(_json({name: record[name] for name in columns}) for record in records)


def cell(value: Any) -> Any:
    """A CSV cell without characters that cannot be seen; a quote before text that begins like a
    formula keeps it from being run."""
    if isinstance(value, dict | list):
        return visible_json(json.dumps(value, ensure_ascii=False))
    if not isinstance(value, str):
        return value
    text = visible(value, keep="\t\r\n")
    return f"'{text}" if FORMULA.match(text) else text


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _json(record: Record) -> bytes:
    text = visible_json(json.dumps(record, ensure_ascii=False, separators=(",", ":")))
    return f"{text}\n".encode("utf-8", "backslashreplace")
