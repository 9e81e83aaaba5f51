"""What a run does just now: told to people who ask what is stuck, never used to decide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

LONGEST_NAME = 200


class Doing(NamedTuple):
    """`kind` is step, retry, sleep, message, event, result, stream or first; times are epoch ms.

    `name` is that of a step, topic, key or stream, `of` the workflow that is waited for.
    """

    kind: str
    name: str = ""
    of: str = ""
    step: int = 0
    since: int = 0
    until: int | None = None

    def as_wait(self, step: int, *, since: int, until: int | None) -> Doing:
        """As a wait from now on, at a step unless it names its own."""
        return self._replace(step=self.step or step, since=since, until=until)

    def as_json(self, workflow_id: str) -> dict[str, Any]:
        told = {**self._asdict(), "name": self.name[:LONGEST_NAME], "of": self.of[:LONGEST_NAME]}
        return {"workflow": workflow_id} | {key: value for key, value in told.items() if value}


class Activities:
    """All that one run has under way; `latest` may be asked from any thread."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: list[Doing] = []

    @contextmanager
    def during(self, doing: Doing) -> Iterator[None]:
        self._open.append(doing)
        try:
            yield
        finally:
            self._open.remove(doing)

    @property
    def latest(self) -> Doing | None:
        # A slice, because another thread may end the last one between a look and a look.
        found = self._open[-1:]
        return found[0] if found else None
