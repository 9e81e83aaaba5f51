"""Steps per second: workflows of ten steps, as many at once as the arguments say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION
from typing import Any

from bench.engine.programs.common import Window, configured, in_threads, parser, tell

STEPS = 10


def workflows(library: Any, window: Window) -> tuple[Callable[[], None], Callable[[], Any]]:
    """Register the ten-step workflow, once plain and once as a coroutine."""

    @library.DBOS.step()
    def step(number: int) -> int:
        return number

    @library.DBOS.step()
    async def step_async(number: int) -> int:
        return number

    @library.DBOS.workflow()
    def ten_steps() -> None:
        for number in range(STEPS):
            step(number)
            window.note()

    @library.DBOS.workflow()
    async def ten_steps_async() -> None:
        for number in range(STEPS):
            await step_async(number)
            window.note()

    return ten_steps, ten_steps_async


def called(workflow: Callable[[], None], window: Window, count: int) -> float:
    """Keep so many workflows running, each called on a thread of its own."""

    def work() -> None:
        while not window.is_over():
            workflow()

    return in_threads(work, window, count)


def awaited(workflow: Callable[[], Any], window: Window, count: int) -> None:
    """The same with coroutines of one event loop; ends the process."""

    async def work() -> None:
        while not window.is_over():
            await workflow()

    async def everyone() -> None:
        tasks = [asyncio.create_task(work()) for _ in range(count)]
        ended, _ = await asyncio.wait(tasks, timeout=window.left(), return_when=FIRST_EXCEPTION)
        for task in ended:
            task.result()
        tell(window.rate())

    asyncio.run(everyone())


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--coroutines", type=int, default=0)
    options = arguments.parse_args()

    library = configured(options)
    window = Window(options.seconds)
    plain, coroutine = workflows(library, window)
    library.DBOS.launch()
    window.begin()
    if options.coroutines:
        awaited(coroutine, window, options.coroutines)
    tell(called(plain, window, options.threads))


if __name__ == "__main__":
    main()
