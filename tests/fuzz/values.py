"""Hostile values of each kind of column: what another program may have stored, and nothing sane."""

from __future__ import annotations

import base64
import json
import pickle
import secrets
import time
from dataclasses import dataclass
from typing import Any

LONG = 10_000
HUGE = 1_000_000
DEEP = "[" * 60_000 + "]" * 60_000
BIG = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Hostile:
    """A value as a parameter, or as SQL of SQLite for what no parameter can say."""

    label: str
    value: Any = None
    sqlite: str = ""


TEXTS = (
    Hostile("empty", ""),
    Hostile("blank", " \t"),
    Hostile("long", "x" * LONG),
    Hostile("long and random", secrets.token_urlsafe(LONG)),
    Hostile("slashes", "/../a//b/."),
    Hostile("address", "a?b=c#d&e;f%2f%00%"),
    Hostile("lines", "a\nb\r\nc\x85d\u2028e"),
    Hostile("controls", "\x1b[31ma\x07\x9b\x7f"),
    Hostile("bidi", "\u202egnp.exe\u2066\u200f"),
    Hostile("markup", "<script>alert('x')</script>\"><b onclick=y>{{7*7}}{% now %}"),
    Hostile("marks", "'\";--\\%_*[]{}()::~"),
    Hostile("planes", "🐒\U000e0041\uffff\ufdd0"),
    Hostile("digits", "9" * 400),
    Hostile("number", "-1"),
    Hostile("word of a status", "FLYING"),
    Hostile("serializer", "java_kryo"),
    Hostile("deep JSON", DEEP),
    Hostile(
        "odd JSON", '{"a": NaN, "b": Infinity, "\\ud800": "\\udfff", "c": ' + "9" * 5_000 + "}"
    ),
    Hostile("cut JSON", '{"a": {"b": "'),
    Hostile("empty object", "{}"),
    Hostile("list", '[null, [], {}, 1e999, {"kwargs": 3, "args": {"a": 1}}]'),
    Hostile("null", "null"),
    Hostile("cut base64", "gASVAAAA="),
    Hostile("cut pickle", base64.b64encode(pickle.dumps(["a"] * 9)[:-9]).decode()),
    Hostile(
        "deep pickle", base64.b64encode(b"\x80\x04" + b"]" * 9_000 + b"a" * 8_999 + b".").decode()
    ),
    Hostile("cron of no date", "0 0 31 2 *"),
    Hostile("cron of the past", "* * * * * * 1970"),
    Hostile("cron too wide", "*/0 99-1 L W #"),
    Hostile("time zone", "Mars/Base"),
    Hostile("time zone outside", "../../../etc/passwd"),
    Hostile("year 0", "0000-01-01T00:00:00"),
    Hostile("year 9999", "9999-12-31T23:59:59.999999-23:59"),
    Hostile("year 1", "0001-01-01T00:00:00+23:59"),
    Hostile("null topic", "__null__topic__"),
    Hostile("internal queue", "_dbos_internal_queue"),
)
SQLITE_TEXTS = (
    Hostile("NUL", "a\0b"),
    Hostile("no UTF-8", sqlite="CAST(x'61ff80' AS TEXT)"),
    Hostile("lone surrogate", sqlite="CAST(x'eda08061' AS TEXT)"),
    Hostile("blob", b"\x00\xff\x80"),
    Hostile("empty blob", b""),
)
INTEGERS = (0, 1, -1, 2, 9_999, -(2**15), 2**15 - 1, -(2**31), 2**31 - 1)
BIGINTS = (
    *INTEGERS,
    -(2**63),
    BIG,
    BIG - 1,
    2**53 + 1,
    -62_135_596_800_001,  # before the year 1
    -62_135_596_800_000,
    253_402_300_799_999,
    253_402_300_800_000,  # the year 10000
    8_640_000_000_000_001,  # more than JavaScript knows
)
SQLITE_NUMBERS = (
    Hostile("text", "abc"),
    Hostile("empty text", ""),
    Hostile("bad text", sqlite="CAST(x'ff' AS TEXT)"),
    Hostile("blob", b"\xff\x00"),
    Hostile("real", 1.5),
    Hostile("large real", 1e300),
    Hostile("infinite", float("inf")),
    Hostile("minus infinite", float("-inf")),
)
REALS = (0.0, -1.0, 1e-300, 1e300, -1e300, float("inf"), float("-inf"), float("nan"), 5e-324)
UNREADABLE = '{"a": ' + "9" * 5_000 + "}"  # to Python
JSONS = (
    "null",
    "7",
    '"text"',
    "[]",
    "{}",
    '[{"a": [1]}]',
    '{"": {"": ""}}',
    '{"a": ' * 500 + "1" + "}" * 500,
    UNREADABLE,
    '{"a": 1e400, "dbos.otelContext": [1], "b": -0.0}',
    '{"dbos.otelContext": "{"}',
    json.dumps({"<b>\u202e": ["\x1b[31m", "\ud83d\ude00"]}),
    json.dumps({f"key {number}": "v" * 100 for number in range(1_000)}),
)


def hostile(
    kind: str, vendor: str, *, is_short: bool = True, is_own: bool = False
) -> list[Hostile]:
    """All values of a kind of column, as far as this database may take them.

    A table that `is_own` has values that Python wrote, of its columns' types alone.
    """
    found = [Hostile("NULL", None), *_of_kind(kind)]
    if is_own and kind == "json":
        found = [each for each in found if each.value != UNREADABLE]
    if kind == "text" and not is_short:
        found.append(Hostile("huge", "y" * HUGE))
    if vendor == "sqlite" and not is_own:
        found += SQLITE_TEXTS
        if kind == "json":
            found += TEXTS
        elif kind != "text":
            found += [*SQLITE_NUMBERS, Hostile("real time", time.time() * 1_000 + 0.25)]
            found += [Hostile(f"{each}", each) for each in BIGINTS]
    return found


def _of_kind(kind: str) -> list[Hostile]:
    if kind == "text":
        return [*TEXTS]
    if kind == "json":
        return [Hostile(each[:20], each) for each in JSONS]
    if kind == "boolean":
        return [Hostile("yes", True), Hostile("no", False)]
    numbers = {"real": REALS, "bigint": BIGINTS}.get(kind, INTEGERS)
    return [Hostile(repr(each), each) for each in numbers]
