"""Other programs hold rows, tables, the file or all connections; then they let go."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import outsiders
from tests.chaos.afterwards import assert_recovers
from tests.chaos.servers import own_server
from tests.chaos.world import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "statements",
    [pytest.param(outsiders.ROWS, id="rows"), pytest.param(outsiders.TABLES, id="tables")],
)
def test_locks(statements: tuple[str, ...], postgres_url: str, tmp_path: Path) -> None:
    with World(postgres_url, tmp_path) as world:
        outsiders.holding(world, 12, statements)
        assert_recovers(world)


def test_all_connections(tmp_path: Path) -> None:
    few = ("max_connections=80", "superuser_reserved_connections=0")
    with own_server(*few) as server, World(server.url, tmp_path) as world:
        outsiders.taking_all_connections(world, 12)
        assert_recovers(world)


def test_a_writer_that_outlasts_the_busy_timeout(sqlite_url: str, tmp_path: Path) -> None:
    with World(sqlite_url, tmp_path) as world:
        outsiders.writing_to_the_file(world, 35)
        assert_recovers(world)
