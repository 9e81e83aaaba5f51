"""The rows of the table: what is measured, by which program, and what we want to reach."""

from __future__ import annotations

from dataclasses import dataclass

# The part of each goal that `make bench-check` insists on.
FLOOR = 0.8


@dataclass(frozen=True)
class Goal:
    """Either so many times better than dbos, or at most so many milliseconds or seconds."""

    ratio: float = 0.0
    at_most: float = 0.0

    def reached(self, ours: float, ratio: float, part: float = 1.0) -> bool:
        """Whether this part of the goal is reached."""
        return ratio >= self.ratio * part if self.ratio else ours <= self.at_most / part

    def __str__(self) -> str:
        return f"≥ {self.ratio:g}x" if self.ratio else f"≤ {self.at_most:g}"


@dataclass(frozen=True)
class Work:
    """One kind of work: the unit of its figure, and the program that measures it."""

    name: str
    unit: str
    program: str
    arguments: tuple[str, ...]

    @property
    def more_is_better(self) -> bool:
        return self.unit.endswith("/s")


@dataclass(frozen=True)
class Row(Work):
    """One line: a kind of work, how dbos differs, and the raw limit beside it."""

    goal: Goal
    raw: tuple[str, ...] = ()
    # Where dbos has no such call: the arguments of what its users do instead.
    theirs: tuple[str, ...] = ()


def _steps(name: str, kind: str, count: int, ratio: float) -> Row:
    return Row(
        f"steps, {name}",
        "/s",
        "steps",
        (f"--{kind}", str(count)),
        Goal(ratio=ratio),
        ("step", "--size", str(count)),
    )


def _bulk(name: str, what: str, raw: str) -> Row:
    return Row(
        f"{name} in bulk (dbos: one by one)",
        "/s",
        "bulk",
        (what,),
        Goal(ratio=15),
        (raw, "--size", "500"),
        (what, "--one-by-one"),
    )


ROWS = (
    _steps("1 thread", "threads", 1, 7),
    _steps("16 threads", "threads", 16, 20),
    _steps("64 threads", "threads", 64, 30),
    _steps("200 coroutines", "coroutines", 200, 60),
    Row("start to all results", "/s", "starts", ("started",), Goal(ratio=3), ("start-and-end",)),
    Row("direct call", "/s", "starts", ("called",), Goal(ratio=2.2), ("start-and-end",)),
    Row("enqueue by client", "/s", "enqueues", ("client",), Goal(ratio=3), ("enqueue",)),
    Row("enqueue in worker", "/s", "enqueues", ("worker",), Goal(ratio=3), ("enqueue",)),
    Row(
        "enqueue in worker, 8 threads",
        "/s",
        "enqueues",
        ("worker", "--threads", "8"),
        Goal(ratio=6),
        ("enqueue", "--size", "8"),
    ),
    _bulk("enqueue", "enqueue", "enqueue"),
    _bulk("start", "start", "enqueue"),
    _bulk("send", "send", "message"),
    Row("drain 2,000", "/s", "drain", (), Goal(ratio=6), ("drain",)),
    Row(
        "drain 2,000, concurrency 100",
        "/s",
        "drain",
        ("--worker-concurrency", "100"),
        Goal(ratio=60),
        ("drain",),
    ),
    Row("set_event in workflow", "/s", "writes", ("event",), Goal(ratio=7), ("step",)),
    Row("write_stream in workflow", "/s", "writes", ("stream",), Goal(ratio=7), ("step",)),
    Row("send in workflow", "/s", "writes", ("message",), Goal(ratio=7), ("step",)),
    Row("enqueue to start, idle queue", "ms", "idle_queue", (), Goal(at_most=4), ("wake",)),
    Row("event to waiting client", "ms", "waiting_client", ("event",), Goal(at_most=5), ("wake",)),
    Row(
        "stream to waiting client", "ms", "waiting_client", ("stream",), Goal(at_most=5), ("wake",)
    ),
    Row("recover 500 after kill -9", "s", "recovery", (), Goal(at_most=0.3)),
)
