"""What is still there of an engine, a client or a helper that says it has ended."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from tests.support.eventually import eventually
from tests.support.postgres import Server

# They belong to whoever runs the tests: event loops' own helpers, pytest-timeout, Django's.
FOREIGN = ("asyncio_", "ThreadPoolExecutor", "pytest_timeout", "pymonitor")
DESCRIPTORS = Path("/proc/self/fd")  # where there is none, what holds a file is not seen


def threads() -> set[threading.Thread]:
    return {each for each in threading.enumerate() if not each.name.startswith(FOREIGN)}


def assert_no_thread_but(known: set[threading.Thread]) -> None:
    eventually(lambda: not threads() - known or _say(threads() - known))


def assert_loop_is_done(loop: asyncio.AbstractEventLoop | None) -> None:
    """An engine's own event loop is closed, and no task on it is left."""
    if loop is not None:
        assert loop.is_closed()
        assert [task for task in asyncio.all_tasks(loop) if not task.done()] == []


def assert_no_connection(server: Server, database: str) -> None:
    """Nobody is connected to the database any more."""
    eventually(lambda: not (found := server.connected_to(database)) or _say(found))


def assert_not_open(file: Path) -> None:
    """This process holds neither a database file nor its journal open."""
    assert [name for name in _open_files() if name.startswith(str(file))] == []


def _open_files() -> list[str]:
    names = []
    for descriptor in os.listdir(DESCRIPTORS) if DESCRIPTORS.is_dir() else ():
        try:
            names.append(os.readlink(DESCRIPTORS / descriptor))
        except OSError:
            continue  # closed while we looked, as the listing's own is
    return names


def _say(found: object) -> bool:
    raise AssertionError(f"left behind: {found}")
