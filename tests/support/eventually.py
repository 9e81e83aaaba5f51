"""Waiting on a condition with a deadline, instead of sleeping and hoping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], timeout: float = 10, interval: float = 0.01) -> T:
    """Return the first truthy value of `condition`, or fail with its last value or error."""
    deadline = time.monotonic() + timeout
    while True:
        error: Exception | None = None
        value: T | None = None
        try:
            value = condition()
        except Exception as raised:
            error = raised
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(timeout, value)) from error
        time.sleep(interval)


def next_millisecond() -> None:
    """Let every clock move on: what is written in one millisecond has no order."""
    now = time.time_ns()
    eventually(lambda: time.time_ns() - now > 10**6, interval=0.0005)


async def eventually_async(
    condition: Callable[[], Awaitable[T]], timeout: float = 10, interval: float = 0.01
) -> T:
    """Do the same for a coroutine function."""
    deadline = time.monotonic() + timeout
    while True:
        error: Exception | None = None
        value: T | None = None
        try:
            value = await condition()
        except Exception as raised:
            error = raised
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(timeout, value)) from error
        await asyncio.sleep(interval)


def _complaint(timeout: float, value: object) -> str:
    return f"not so within {timeout} s; last value: {value!r}"
