"""Disks that are full for a while: of the tables, of the write-ahead log, of the SQLite file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.chaos.afterwards import assert_recovers
from tests.chaos.disks import Disk, small_disk
from tests.chaos.servers import Stop, answers, own_server
from tests.chaos.world import World
from tests.support.eventually import eventually

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

FULL_S = 8
# Segments of 1 MB, which are deleted instead of used again: the log soon needs room.
SMALL_LOG = ("wal_recycle=off", "min_wal_size=2MB", "max_wal_size=4MB", "checkpoint_timeout=30s")


def fill(world: World, disk: Disk) -> None:
    """Keep it full, whatever is given up meanwhile."""
    for _ in range(FULL_S):
        disk.fill()
        world.run(1)


def test_of_the_sqlite_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/disk/system.sqlite3"
    with small_disk(tmp_path / "disk", "64m") as disk, World(url, tmp_path) as world:
        with world.fault():
            fill(world, disk)
            disk.empty()
        assert_recovers(world)


def test_of_the_tables(tmp_path: Path) -> None:
    with own_server() as server, small_disk(server.folder / "tables", "64m") as disk:
        server.give(disk.place)
        server.run(f"CREATE TABLESPACE small LOCATION '{disk.place}'")
        server.run("ALTER DATABASE chaos SET TABLESPACE small")
        with World(server.url, tmp_path) as world:
            with world.fault():
                fill(world, disk)
                disk.empty()
            assert_recovers(world)


def test_of_the_log(tmp_path: Path) -> None:
    """The server ends itself; it is started once there is room again."""
    with (
        own_server(*SMALL_LOG, initdb=("--wal-segsize=1",)) as server,
        small_disk(server.folder / "wal", "64m") as disk,
    ):
        server.stop(Stop.FAST)
        log = server.cluster / "pg_wal"
        subprocess.run(["mv", log, disk.place], check=True)  # keeps the owner
        log.symlink_to(disk.place / "pg_wal")
        server.start()
        with World(server.url, tmp_path) as world:
            with world.fault():
                fill(world, disk)
                eventually(lambda: not answers(server.url))
                disk.empty()
                server.stop(Stop.IMMEDIATE)
                server.start()
            assert_recovers(world)
