"""What a user's type checker is told of the public class."""

from __future__ import annotations

from pathlib import Path

from dboshub import DBOS
from dboshub.awaited import AwaitedCalls

ROOT = Path(__file__).resolve().parents[2]


def test_every_awaited_call_is_declared() -> None:
    made = {name for name in dir(DBOS) if name.endswith("_async")}
    # Written out, because it is iterated over and not awaited.
    made.discard("read_stream_async")
    assert made == set(AwaitedCalls.__annotations__)
    assert not {*vars(AwaitedCalls)} & made


def test_every_package_says_that_it_has_types() -> None:
    for package in ("dboshub", "workflows", "queues", "schedules"):
        assert (ROOT / package / "py.typed").exists(), package
