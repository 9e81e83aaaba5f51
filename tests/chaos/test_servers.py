"""A server that restarts, gives way to its standby, or is reached through a pooler."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.afterwards import assert_recovers
from tests.chaos.pooler import Pooler
from tests.chaos.proxy import Proxy
from tests.chaos.servers import OwnServer, Stop, own_server, standby_of
from tests.chaos.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'chaos'"


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


@pytest.mark.parametrize("how", [Stop.FAST, Stop.IMMEDIATE])
def test_restarted_again_and_again(server: OwnServer, how: Stop, tmp_path: Path) -> None:
    with World(server.url, tmp_path) as world:
        with world.fault():
            for seconds in (0, 1, 3):
                server.stop(how)
                world.run(seconds)
                server.start()
                world.run(2)
        assert_recovers(world)


def test_away_for_long(server: OwnServer, tmp_path: Path) -> None:
    """Pauses between attempts do not grow beyond what service may take to be back."""
    with World(server.url, tmp_path) as world:
        with world.fault():
            server.stop(Stop.FAST)
            world.run(40)
            server.start()
        assert_recovers(world)


def test_its_standby_is_promoted(server: OwnServer, tmp_path: Path) -> None:
    """What was acknowledged is on both; the proxy leads to the other one after a while."""
    with (
        standby_of(server) as standby,
        Proxy(server.url) as proxy,
        World(server.url, tmp_path, url_for_workers=proxy.url) as world,
    ):
        world.run(2)
        with world.fault():
            server.stop(Stop.IMMEDIATE)
            standby.run("SELECT pg_promote()")
            world.run(2)
            proxy.lead_to(standby.url)
            world.database_url = standby.url
        assert_recovers(world)


@pytest.mark.parametrize("listens", [False, True])
def test_through_pgbouncer(server: OwnServer, listens: bool, tmp_path: Path) -> None:
    """In transaction mode, with LISTEN on a connection of its own and without it."""
    own_way = {"DBOSHUB_LISTEN_DSN": server.url} if listens else {}
    environment = {"DBOSHUB_BEHIND_POOLER": "1", **own_way}
    with (
        Pooler(server) as pooler,
        World(server.url, tmp_path, url_for_workers=pooler.url, environment=environment) as world,
    ):
        with world.fault():
            world.run(4)
            server.run(END_SESSIONS)
            world.run(2)
            pooler.stop()
            world.run(2)
            pooler.start()
            server.stop(Stop.FAST)
            server.start()
        assert_recovers(world)
