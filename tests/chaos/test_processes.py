"""Processes that die, stand still, restart with wrong clocks, or lack threads or descriptors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.chaos import process_faults as faults
from tests.chaos.world import World

BACK_WITHIN_S = 5.0
AFTER_S = 8.0


def test_a_worker_stands_still_and_dies_when_it_goes_on(database_url: str, tmp_path: Path) -> None:
    with World(database_url, tmp_path, lease=1.0, rate=20) as world:
        faults.suspended(world)
        faults.killed(world)
        world.settle()
        world.verdict().assert_holds()


def test_restarts_after_a_lack_of_threads_and_descriptors(
    postgres_url: str, tmp_path: Path
) -> None:
    with World(postgres_url, tmp_path, workers=1, rate=20) as world:
        faults.without_threads(world, seconds=1)
        faults.without_descriptors(world, seconds=1)
        faults.ended_without_threads(world)
        faults.restarted(world, times=4)
        world.settle()
        world.verdict().assert_holds()


@pytest.mark.chaos
@pytest.mark.parametrize(
    "bring",
    [
        pytest.param(faults.suspended, id="suspended"),
        pytest.param(faults.killed_and_replaced, id="killed"),
        pytest.param(faults.starter_killed, id="starter-killed"),
        pytest.param(partial(faults.without_threads, seconds=10), id="no-threads"),
        pytest.param(faults.ended_without_threads, id="ended-without-threads"),
        pytest.param(partial(faults.without_descriptors, seconds=10), id="no-descriptors"),
    ],
)
def test_one_of_three_workers(
    bring: Callable[[World], None], database_url: str, tmp_path: Path
) -> None:
    with World(database_url, tmp_path, workers=3) as world:
        for _ in range(3):
            bring(world)
            world.run(AFTER_S)
        world.settle()
        world.verdict().assert_holds(back_within=BACK_WITHIN_S)


@pytest.mark.chaos
@pytest.mark.timeout(1_200)
def test_a_hundred_rolling_restarts(database_url: str, tmp_path: Path) -> None:
    with World(database_url, tmp_path) as world:
        faults.restarted(world, times=100)
        world.run(AFTER_S)
        world.settle()
        world.verdict().assert_holds(back_within=BACK_WITHIN_S)
