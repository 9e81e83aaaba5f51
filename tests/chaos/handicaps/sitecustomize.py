"""What the suite takes away from a process before any other module is imported.

CHAOS_CLOCK: seconds by which every clock of the day is wrong, as Python code reads it. A file
`no-threads-PID` in DBOSHUB_DATA_DIR: no thread can be started while it is there.
"""

from __future__ import annotations

import datetime
import os
import threading
import time
from pathlib import Path
from typing import Any

RIGHT = datetime.datetime


class AnyDatetime(type):
    """What C code makes is of the right class, and has to pass for one of the wrong class."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, RIGHT)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, RIGHT)


class WrongDatetime(RIGHT, metaclass=AnyDatetime):
    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return RIGHT.__new__(RIGHT, *args, **kwargs)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return RIGHT.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return RIGHT.fromtimestamp(time.time(), datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


def set_clocks_wrong(seconds: float) -> None:
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + int(seconds * 10**9)
    datetime.datetime = WrongDatetime  # type: ignore[misc]


def refuse_threads_while(wanted: Path) -> None:
    # Python 3.13 starts most threads by the second name.
    for name in ("_start_new_thread", "_start_joinable_thread"):
        if start := getattr(threading, name, None):
            setattr(threading, name, _unless(wanted, start))


def _unless(wanted: Path, start: Any) -> Any:
    def start_thread(*args: Any, **kwargs: Any) -> Any:
        if wanted.exists():
            raise RuntimeError("can't start new thread")
        return start(*args, **kwargs)

    return start_thread


if "CHAOS_CLOCK" in os.environ:
    set_clocks_wrong(float(os.environ["CHAOS_CLOCK"]))
refuse_threads_while(Path(os.environ["DBOSHUB_DATA_DIR"], f"no-threads-{os.getpid()}"))
