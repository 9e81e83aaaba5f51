"""The frame that raised, from the text of a traceback: of Python, JavaScript and Java, and of Go.

A frame is told by function and file, without its line: that changes with every edit of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_FRAME = 160
# What no application wrote itself.
LIBRARIES = (
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "<frozen ",
    "node_modules/",
    "node:",
)

PYTHON = re.compile(r'^\s*File "([^"\n]{1,1000})", line \d+, in (\S{1,300})', re.MULTILINE)
# `at charge (/app/pay.ts:3:9)`, `at shop.Pay.charge(Pay.java:7)`
CALLED = re.compile(r"^\s*at ([^\s(]{1,300}) ?\(([^()\n]{1,1000}?)(?::\d+)+\)", re.MULTILINE)
# `main.charge(...)` above `	/app/pay.go:12 +0x1d`
GO = re.compile(r"^([\w./*()]{1,300})\(.{0,1000}\)\n\t(\S{1,1000}):\d+", re.MULTILINE)


def raising_frame(traceback: str) -> str:
    """ "`function` in `file`" of the innermost frame of the application; empty if none is told."""
    python = [(file, function) for file, function in PYTHON.findall(traceback)]
    if python:
        return _first(reversed(python), python[-1])
    called = [(file, function) for function, file in CALLED.findall(traceback)]
    called = called or [(file, function) for function, file in GO.findall(traceback)]
    return _first(called, called[0]) if called else ""


def _first(frames: Iterable[tuple[str, str]], otherwise: tuple[str, str]) -> str:
    """The first frame of no library."""
    file, function = next((each for each in frames if not _is_library(each[0])), otherwise)
    return f"{function} in {_base(file)}"[:MAX_FRAME]


def _is_library(file: str) -> bool:
    path = file.replace("\\", "/")
    return any(part in path for part in LIBRARIES)


def _base(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]
