"""PostgreSQL servers of one test: restarted, copied and promoted while others use them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import psycopg
import pytest

from tests.support.eventually import eventually
from tests.support.memory import scratch_root
from tests.support.ports import free_port
from tests.support.postgres_programs import Programs

# Outlives a killed test process just long enough to end the server.
KEEPER = '"$@" >>"$LOG" 2>&1 & pid=$!; read _; kill -QUIT $pid; wait $pid'
DATABASE = "chaos"
# As fast as the other tests' server: no power cut is among the faults.
SETTINGS = ("timezone=UTC", "fsync=off", "full_page_writes=off", "log_min_messages=log")
START_S = STOP_S = 30.0
IS_SYNCHRONOUS = "SELECT sync_state FROM pg_stat_replication"


class Stop(Enum):
    """A server ends every session and writes everything, or leaves everything as it is."""

    FAST = signal.SIGINT
    IMMEDIATE = signal.SIGQUIT


class OwnServer:
    """A server of its own on a free port, with the database `chaos`."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.folder = folder
        self.programs = Programs.found_for(folder)
        self.cluster = folder / "cluster"
        self._settings = settings
        self._port = free_port()
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = ["-D", self.cluster, "-h", "127.0.0.1", "-p", str(self._port), "-k", self.folder]
        for setting in (*SETTINGS, *self._settings):
            options += ["-c", setting]
        self._keeper = subprocess.Popen(
            ["/bin/sh", "-c", KEEPER, "keeper", self.programs.path("postgres"), *options],
            cwd="/",
            env={**os.environ, "LOG": str(self.folder / "log")},
            stdin=subprocess.PIPE,
            start_new_session=True,
            **self.programs.rights,
        )
        eventually(lambda: answers(self.url_of("postgres")), START_S, interval=0.05)

    def stop(self, how: Stop) -> None:
        """End it, and wait for its end; one that has crashed is ended by Stop.IMMEDIATE."""
        if self._keeper is None:
            return
        running = self.cluster / "postmaster.pid"
        if running.exists():
            os.kill(int(running.read_text().split()[0]), how.value)
        if how is Stop.FAST:
            eventually(lambda: not running.exists(), STOP_S)
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        self._keeper.wait(STOP_S)
        self._keeper = None

    def give(self, place: Path) -> None:
        """Let the server own a directory."""
        if self.programs.rights:
            os.chown(place, self.programs.rights["user"], self.programs.rights["group"])

    def run(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement outside transactions, on the database `postgres`."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as admin:
            cursor = admin.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def own_server(*settings: str, initdb: tuple[str | Path, ...] = ()) -> Iterator[OwnServer]:
    """A running server with these settings (``name=value``) and options of initdb."""
    with _folder() as folder:
        server = OwnServer(folder, *settings)
        server.programs.make_cluster(server.cluster, *initdb)
        try:
            server.start()
            server.run(f"CREATE DATABASE {DATABASE}")
            yield server
        finally:
            server.stop(Stop.IMMEDIATE)


@contextmanager
def standby_of(primary: OwnServer) -> Iterator[OwnServer]:
    """A running copy that follows; from now on the primary acknowledges what both have."""
    with _folder() as folder:
        standby = OwnServer(folder)
        if not standby.programs.path("pg_basebackup").exists():
            pytest.skip("pg_basebackup is not installed: apt-get install postgresql")
        source = f"{primary.url_of('')}?application_name=standby"
        # By default the copy waits for the next checkpoint, which may take minutes.
        fast = ("--checkpoint", "fast", "--write-recovery-conf")
        standby.programs.run("pg_basebackup", "-D", standby.cluster, *fast, "-d", source)
        try:
            standby.start()
            primary.run("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.run("SELECT pg_reload_conf()")
            eventually(lambda: primary.run(IS_SYNCHRONOUS) == [("sync",)])
            yield standby
        finally:
            standby.stop(Stop.IMMEDIATE)


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="dboshub-chaos-", dir=scratch_root()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
