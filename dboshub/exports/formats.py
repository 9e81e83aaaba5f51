"""Rows as CSV or NDJSON, in UTF-8. Times are ISO 8601 in UTC."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

FORMATS = {"csv": "CSV", "ndjson": "NDJSON"}
MIME_TYPES = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson; charset=utf-8"}
# Characters at which spreadsheets begin a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")

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
    """A CSV cell; a quote before text that begins like a formula keeps it from being run."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _json(record: Record) -> bytes:
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    return f"{text}\n".encode("utf-8", "backslashreplace")
