"""The attacker's process: runs floods for so many seconds, or until it is ended.

python -m bench.attacked.generator NAME… < target.json
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from bench.attacked import anonymous, viewer
from bench.attacked.wire import GONE, Target

Flood = Callable[[Target, int], Awaitable[None]]
FLOODS: dict[Any, int] = {**anonymous.FLOODS, **viewer.FLOODS}
BY_NAME = {flood.__name__: flood for flood in FLOODS}
# After each try: this process must leave a core to the one that it attacks.
PAUSE_S = 0.1


async def keep_up(flood: Flood, target: Target, first: int, width: int, told: Counter[str]) -> None:
    number = first
    while not target.is_over():
        try:
            await flood(target, number)
            told["done"] += 1
        except (*GONE, TimeoutError) as error:
            told[type(error).__name__] += 1
        number += width
        await asyncio.sleep(PAUSE_S)


async def attack(names: list[str], target: Target) -> Counter[str]:
    """All named floods at once, each as wide as it is made to be."""
    told: Counter[str] = Counter()
    tasks = [
        asyncio.create_task(keep_up(BY_NAME[name], target, number, FLOODS[BY_NAME[name]], told))
        for name in names
        for number in range(FLOODS[BY_NAME[name]] // len(names) + 1)
    ]
    await asyncio.wait(tasks, timeout=target.seconds)
    for task in tasks:
        task.cancel()
    return told


if __name__ == "__main__":
    print(dict(asyncio.run(attack(sys.argv[1:], Target(**json.load(sys.stdin))))), flush=True)
