"""What follows a fault in every long test."""

from __future__ import annotations

from tests.chaos.world import World

AFTER_S = 6.0
BACK_WITHIN_S = 5.0


def assert_recovers(world: World) -> None:
    """Let the load go on for a while; then everything ends, holds, and was back in time."""
    world.run(AFTER_S)
    world.settle()
    world.verdict().assert_holds(back_within=BACK_WITHIN_S)
