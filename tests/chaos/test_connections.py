"""Connections that are cut, refused, late or forgotten between processes and the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos import connection_faults as faults
from tests.chaos.afterwards import assert_recovers
from tests.chaos.connection_faults import Fault, during
from tests.chaos.proxy import Cut, Proxy
from tests.chaos.world import World


@pytest.mark.parametrize(
    "bring",
    [
        pytest.param(during(2, faults.cut(Cut.AFTER, every=5)), id="cut-after-the-commit"),
        pytest.param(faults.ended_by_the_server(times=3), id="ended-by-the-server"),
    ],
)
def test_for_a_moment(bring: Fault, postgres_url: str, tmp_path: Path) -> None:
    with (
        Proxy(postgres_url) as proxy,
        World(postgres_url, tmp_path, url_for_workers=proxy.url, rate=20) as world,
    ):
        bring(world, proxy)
        world.run(1)
        world.settle()
        world.verdict().assert_holds()


@pytest.mark.chaos
@pytest.mark.parametrize(
    "bring",
    [
        pytest.param(during(8, faults.cut(Cut.BEFORE, every=5)), id="cut-before-the-commit"),
        pytest.param(during(8, faults.cut(Cut.AFTER, every=5)), id="cut-after-the-commit"),
        pytest.param(during(4, faults.cut(Cut.BEFORE, every=1)), id="no-commit-gets-through"),
        pytest.param(during(4, faults.cut(Cut.AFTER, every=1)), id="no-commit-is-answered"),
        pytest.param(faults.dropped(times=10), id="dropped"),
        pytest.param(faults.ended_by_the_server(times=10), id="ended-by-the-server"),
        pytest.param(during(12, faults.refused), id="refused"),
        pytest.param(during(8, faults.late(by_s=0.05)), id="late"),
        pytest.param(during(8, faults.late(by_s=0.5)), id="very-late"),
        pytest.param(during(20, faults.forgotten(new_ones=False)), id="old-ones-forgotten"),
        pytest.param(during(20, faults.forgotten(new_ones=True)), id="all-forgotten"),
    ],
)
def test_for_long(bring: Fault, postgres_url: str, tmp_path: Path) -> None:
    with (
        Proxy(postgres_url) as proxy,
        World(postgres_url, tmp_path, url_for_workers=proxy.url) as world,
    ):
        bring(world, proxy)
        assert_recovers(world)
