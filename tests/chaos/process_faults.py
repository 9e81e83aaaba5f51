"""What happens to processes: each is brought into a world under load, and taken back."""

from __future__ import annotations

import itertools

from tests.chaos.world import World

HOUR_S = 3600


def killed(world: World) -> None:
    """One of the workers is gone, without a word."""
    victim = world.workers.pop(0)
    with world.fault():
        victim.kill()


def killed_and_replaced(world: World) -> None:
    """It is gone, and another one comes after a while."""
    killed(world)
    world.run(1)
    world.add_worker()
    world.until_all_work()


def starter_killed(world: World) -> None:
    """The program that starts workflows is gone, and the workers have what it ran."""
    assert world.load is not None
    with world.fault():
        world.load.kill()
        world.run(1)
        world.start_load()
        world.until_all_work()


def suspended(world: World) -> None:
    """A worker stands still until others have its work, then goes on as if nothing had been."""
    zombie = world.workers[0]
    with world.fault():
        world.ledger.write("stopped", pid=zombie.pid)
        with zombie.stopped():
            world.run(world.lease * 2)
            world.ledger.write("continues", pid=zombie.pid)


def restarted(world: World, times: int) -> None:
    """A deployment after the other: each worker is asked to end when its successor works.

    The machines of two successors of three are an hour late, and an hour early.
    """
    wrong_by = itertools.cycle((0, -HOUR_S, HOUR_S))
    with world.fault():
        for _ in range(times):
            world.add_worker(CHAOS_CLOCK=str(next(wrong_by)))
            world.until_all_work()
            oldest = world.workers.pop(0)
            oldest.terminate()
            oldest.assert_ended_well()


def without_threads(world: World, seconds: float) -> None:
    worker = world.workers[0]
    shortage = world.folder / f"no-threads-{worker.pid}"
    with world.fault():
        shortage.touch()
        world.run(seconds)
        shortage.unlink()


def ended_without_threads(world: World) -> None:
    """A worker that can start no thread is asked to end, and does so in order."""
    world.add_worker()
    world.until_all_work()
    oldest = world.workers.pop(0)
    with world.fault():
        (world.folder / f"no-threads-{oldest.pid}").touch()
        oldest.terminate()
        oldest.assert_ended_well()


def without_descriptors(world: World, seconds: float) -> None:
    with world.fault(), world.workers[0].without_descriptors():
        world.run(seconds)
