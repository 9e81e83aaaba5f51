"""PostgreSQL's SQL as SQLite's, for the constructs that statements here use.

| PostgreSQL                        | SQLite                                         |
| --------------------------------- | ---------------------------------------------- |
| ``= ANY(:ids)``                   | a search in the JSON list ``:ids``             |
| ``to_regclass('{t}') IS NOT NULL``| a search in ``sqlite_master``                  |
| ``CAST(:value AS jsonb)``         | ``:value``: JSON is stored as text             |
| ``LEAST(a, b)``, ``GREATEST``     | ``MIN(a, b)``, ``MAX``                         |
| ``octet_length(a)``               | ``LENGTH(a)``, in characters                   |
| ``json_build_array``, ``json_agg``| ``json_array``, ``json_group_array``           |
| ``encode(convert_to(a, 'UTF8'),   | ``lower(hex(a))``                              |
| 'hex')``                          |                                                |
| ``clock_timestamp()`` and         | ``julianday('now')``, which does not change    |
| ``statement_timestamp()`` in ms   | within a statement                             |
| ``(status = 'ENQUEUED')`` or      | the same, and the condition of the indexes on  |
| ``'PENDING'``                     | work in flight: a partial index is used only   |
|                                   | where a statement repeats its condition        |
| ``FOR UPDATE`` and its variants   | nothing: a transaction that writes is the only |
|                                   | writer, because it begins with IMMEDIATE       |

Anything else that differs is written twice: ``Statement(postgres=…, sqlite=…)``.
"""

from __future__ import annotations

import re

_NOW_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"

_RULES = (
    (
        re.compile(r"\(status = '(ENQUEUED|PENDING)'\)"),
        r"(status = '\1' AND status IN ('ENQUEUED', 'PENDING'))",
    ),
    (re.compile(r"= ANY\(:(\w+)\)"), r"IN (SELECT value FROM json_each(:\1))"),
    (
        re.compile(r"to_regclass\('\{(\w+)\}'\) IS NOT NULL"),
        r"EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '\1')",
    ),
    (re.compile(r"CAST\(:(\w+) AS jsonb\)"), r":\1"),
    (re.compile(r"\bLEAST\("), "MIN("),
    (re.compile(r"\bGREATEST\("), "MAX("),
    (re.compile(r"\boctet_length\(", re.IGNORECASE), "LENGTH("),
    (re.compile(r"\bjson_build_array\("), "json_array("),
    (re.compile(r"\bencode\(convert_to\((.+?), 'UTF8'\), 'hex'\)", re.DOTALL), r"lower(hex(\1))"),
    (re.compile(r"\bjson_agg\("), "json_group_array("),
    (
        re.compile(
            r"CAST\(extract\(epoch FROM (?:clock|statement)_timestamp\(\)\) \* 1000 AS bigint\)"
        ),
        _NOW_MS,
    ),
    (re.compile(r"\s*\bFOR (?:NO KEY )?UPDATE\b(?: OF \w+)?(?: SKIP LOCKED)?"), ""),
)


def sqlite_text(text: str) -> str:
    """The text for SQLite of a statement that is written in PostgreSQL's SQL."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
