"""The suite without a fault: its load is served, and its verdict finds what is wrong."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.world import World


def test_a_load_without_a_fault(database_url: str, tmp_path: Path) -> None:
    with World(database_url, tmp_path) as world:
        world.run(1)
        with world.fault():
            pass
        world.run(2)
        world.settle()
        verdict = world.verdict()
        verdict.assert_holds()
        assert {"here", "plain", "narrow", "apiece", "keyed", "rated"} == verdict.back_after.keys()
