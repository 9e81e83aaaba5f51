"""Ports for the servers that tests start."""

from __future__ import annotations

import itertools
import os
import socket

# Below the ports that systems give to clients: one that reconnects could take a server's own.
FIRST, OF_A_PROCESS, PROCESSES = 20_000, 1_000, 12

_numbers = itertools.count()


def free_port() -> int:
    """A port on which nobody listens; no other process of this test run is given it.

    One that is free for everybody could be given to two servers, and one of them would answer for
    both.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    for _ in range(OF_A_PROCESS):
        port = FIRST + process * OF_A_PROCESS + next(_numbers) % OF_A_PROCESS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
