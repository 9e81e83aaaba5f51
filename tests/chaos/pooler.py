"""PgBouncer in transaction mode before a server, while it is used in a ``with`` block."""

from __future__ import annotations

import os
import shutil
import subprocess
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.chaos.servers import STOP_S, OwnServer, answers
from tests.support.eventually import eventually
from tests.support.ports import free_port

PLACES = os.pathsep.join((os.defpath, "/usr/sbin", "/usr/local/sbin"))

# Outlives a killed test process just long enough to end the pooler.
KEEPER = '"$@" >>"$LOG" 2>&1 & pid=$!; read _; kill -KILL $pid; wait $pid'
CONFIGURATION = """
[databases]
* = host={host} port={port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 10
max_client_conn = 500
server_login_retry = 1
"""


class Pooler:
    """Skips the test where PgBouncer is not installed."""

    def __init__(self, server: OwnServer) -> None:
        program = shutil.which("pgbouncer", path=PLACES)
        if program is None:
            pytest.skip("PgBouncer is not installed: apt-get install pgbouncer")
        self._port = free_port()
        self._folder, self._rights = server.folder, server.programs.rights
        given = urlsplit(server.url)
        self.url = urlunsplit(given._replace(netloc=f"postgres@127.0.0.1:{self._port}"))
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(host=given.hostname, port=given.port, own_port=self._port)
        )
        self._command = ["/bin/sh", "-c", KEEPER, "keeper", program, str(configuration)]

    def __enter__(self) -> Pooler:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it passes on what it is asked."""
        self._keeper = subprocess.Popen(
            self._command,
            cwd="/",
            env={**os.environ, "LOG": str(self._folder / "pgbouncer.log")},
            stdin=subprocess.PIPE,
            start_new_session=True,
            **self._rights,
        )
        eventually(lambda: answers(self.url), interval=0.05)

    def stop(self) -> None:
        """End it at once, with every connection."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(STOP_S)
