"""The measured program, the same for both libraries: which one is imported is an argument.

Prints one JSON line. Runs in a process of its own, so that neither library disturbs the other.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import itertools
import json
import os
import threading
import time
from collections.abc import Callable
from typing import Any

STEPS = 10
WARM_UP_S = 1.0


class Window:
    """Counts what becomes durable between the end of the warm-up and the end of the run."""

    def __init__(self) -> None:
        self.opens = self.closes = 0.0
        self.done = itertools.count()

    def start(self, seconds: float) -> None:
        self.opens = time.perf_counter() + WARM_UP_S
        self.closes = self.opens + seconds

    def is_over(self) -> bool:
        return time.perf_counter() >= self.closes

    def note(self) -> None:
        """Count one recorded step, if it was recorded within the window."""
        if self.opens <= time.perf_counter() < self.closes:
            next(self.done)

    def rate(self) -> float:
        return next(self.done) / (self.closes - self.opens)


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


def in_threads(workflow: Callable[[], None], window: Window, concurrency: int) -> None:
    """Keep so many workflows running, each called on a thread of its own."""

    def work() -> None:
        while not window.is_over():
            workflow()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, window.closes - time.perf_counter()))


def in_coroutines(workflow: Callable[[], Any], window: Window, concurrency: int) -> None:
    async def work() -> None:
        while not window.is_over():
            await workflow()

    async def everyone() -> None:
        tasks = [asyncio.create_task(work()) for _ in range(concurrency)]
        await asyncio.wait(tasks, timeout=window.closes - time.perf_counter())
        report(window)

    asyncio.run(everyone())


def report(window: Window) -> None:
    """Print the result and end: what is still running at the close is not worth waiting for."""
    print(json.dumps({"steps_per_s": window.rate()}), flush=True)
    os._exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", choices=["dboshub", "dbos"])
    parser.add_argument("url")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--coroutines", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()

    library = importlib.import_module(options.library)
    library.DBOS(
        config={
            "name": "bench",
            "system_database_url": options.url,
            "log_level": "ERROR",
            "application_version": "1",
        }
    )
    window = Window()
    plain, coroutine = workflows(library, window)
    library.DBOS.launch()
    window.start(options.seconds)
    if options.coroutines:
        in_coroutines(coroutine, window, options.coroutines)
    else:
        in_threads(plain, window, options.threads or 1)
    report(window)


if __name__ == "__main__":
    main()
