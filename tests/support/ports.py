"""Ports for the servers that tests start."""

from __future__ import annotations

import fcntl
import itertools
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

# Below the ports that systems give to clients: one that reconnects could take a server's own.
FIRST, COUNT = 20_000, 12_000
LOCKS = Path(tempfile.gettempdir()) / "dboshub-test-ports"

# Each process begins elsewhere, so that it seldom meets the locks of others.
_numbers = itertools.count(os.getpid() * 101)
_held: list[IO[str]] = []


def free_port() -> int:
    """A port on which nobody listens; no other process of any test run is given it.

    One that is free for everybody could be given to two servers, and one of them would answer for
    both. A lock on a file keeps it for this process until that ends.
    """
    LOCKS.mkdir(mode=0o777, exist_ok=True)
    for _ in range(COUNT):
        port = FIRST + next(_numbers) % COUNT
        if _keep(port):
            return port
    raise AssertionError("no port is free")


def _keep(port: int) -> bool:
    """Lock a port for this process, unless somebody else has it or listens on it."""
    lock: IO[str] | None = None
    try:
        lock = (LOCKS / str(port)).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        if lock is not None:
            lock.close()
        return False
    _held.append(lock)
    return True
