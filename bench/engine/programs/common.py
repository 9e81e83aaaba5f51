"""What every measured program shares: its arguments, its library, its window, its answer.

A program measures one contender in one run, in a process of its own, on a database of its own.
Which library it imports is an argument, so that both run the same code. Its last line is JSON.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

WARM_UP_S, WARM_UP_SAMPLES = 0.5, 1
VERSION, QUEUE = "1", "bench"


def parser(text: str | None) -> argparse.ArgumentParser:
    """The arguments that every program takes."""
    arguments = argparse.ArgumentParser(description=text)
    arguments.add_argument("library", choices=["dboshub", "dbos"])
    arguments.add_argument("url")
    arguments.add_argument("--seconds", type=float, default=1.5, help="measured time of the run")
    return arguments


def configured(options: argparse.Namespace) -> Any:
    """Import the library of the arguments and configure it; `DBOS.launch()` is the caller's."""
    library = importlib.import_module(options.library)
    library.DBOS(
        config={
            "name": "bench",
            "system_database_url": options.url,
            "log_level": "ERROR",
            "application_version": VERSION,
        }
    )
    return library


def client(options: argparse.Namespace) -> Any:
    """A client of the library of the arguments, with default settings."""
    library = importlib.import_module(options.library)
    return library.DBOSClient(system_database_url=options.url)


def tell(figure: float | list[float]) -> None:
    """Print the figure and end: what still runs is not worth waiting for."""
    print(json.dumps(figure), flush=True)
    os._exit(0)


def second_process(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start another program with the same interpreter; it has said "ready" when this returns."""
    command = [sys.executable, "-m", program, *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    if process.stdout.readline() != "ready\n":
        raise RuntimeError(f"{program} did not start")
    return process


def until_end_of_input(*figures: float) -> None:
    """Say "ready" and the figures, then run until the other end of standard input is closed."""
    print("ready", *figures, sep="\n", flush=True)
    sys.stdin.read()
    os._exit(0)


def pause() -> None:
    """Sleep up to the interval of a poll, so that no sample meets the rhythm of polls."""
    time.sleep(random.uniform(0.0, 1.0))


class Window:
    """Counts what is done between the end of the warm-up and the end of the run."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.opens = self.closes = 0.0
        self.done = itertools.count()

    def begin(self) -> Window:
        """Begin the warm-up."""
        self.opens = time.perf_counter() + WARM_UP_S
        self.closes = self.opens + self.seconds
        return self

    def is_over(self) -> bool:
        return time.perf_counter() >= self.closes

    def left(self) -> float:
        """Seconds until the end of the run."""
        return max(0.0, self.closes - time.perf_counter())

    def note(self, count: int = 1) -> None:
        """Count what has just become durable, if that was within the window."""
        if self.opens <= time.perf_counter() < self.closes:
            for _ in range(count):
                next(self.done)

    def rate(self) -> float:
        return next(self.done) / self.seconds


def in_threads(work: Callable[[], None], window: Window, count: int) -> float:
    """Run `work` on so many threads until the window closes; gives what was noted per second."""
    pool = ThreadPoolExecutor(count)
    ended, _ = wait([pool.submit(work) for _ in range(count)], window.left(), FIRST_EXCEPTION)
    for thread in ended:
        thread.result()
    return window.rate()


def repeat(call: Callable[[], Any], seconds: float, threads: int = 1, count: int = 1) -> float:
    """Calls of so many threads per second, each counted `count` times."""
    window = Window(seconds).begin()

    def work() -> None:
        while not window.is_over():
            call()
            window.note(count)

    return in_threads(work, window, threads)
