"""Queues that are enqueued on or served, and that no process has declared: warned of once each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Protocol

from dboshub.queues.engine.settings import QueueSettings
from dboshub.workflows.engine.records import INTERNAL_QUEUES

logger = logging.getLogger("dboshub.queues")

_ADVICE = "declare it where it is served, by Queue(%r) or DBOS.register_queue(%r)"


class QueueTable(Protocol):
    """The rows of ``queues``."""

    def retrieve(self, name: str) -> QueueSettings | None: ...
    def list_queues(self, applications: Sequence[str] | None) -> list[QueueSettings]: ...


class UndeclaredQueues:
    """Looks up each name once, by `submit` outside of the caller's time."""

    def __init__(self, table: QueueTable, submit: Callable[[Callable[[], None]], None]) -> None:
        self._table = table
        self._submit = submit
        self._seen: set[str] = {*INTERNAL_QUEUES}

    def used(self, name: str) -> None:
        """A workflow was enqueued on a queue; the queue may belong to another process."""
        if name not in self._seen:
            self._seen.add(name)
            self._submit(lambda: self._look(name))

    def served(self, names: Iterable[str]) -> None:
        """This process serves only these queues, at launch."""
        for name in names:
            if name not in INTERNAL_QUEUES and self._table.retrieve(name) is None:
                logger.warning(
                    f"queue %r, which this process is to serve, is not registered%s: {_ADVICE}",
                    name,
                    self._near(name),
                    name,
                    name,
                )

    def _look(self, name: str) -> None:
        try:
            if self._table.retrieve(name) is not None:
                return
            near = self._near(name)
        except Exception:
            self._seen.discard(name)  # the database is away: the next enqueue asks again
            return
        logger.warning(
            f"what is enqueued on queue %r waits, for nobody has registered it%s: {_ADVICE}",
            name,
            near,
            name,
            name,
        )

    def _near(self, name: str) -> str:
        known = [each.name for each in self._table.list_queues(None)]
        near = get_close_matches(name, known, n=1)
        return f" (did you mean {near[0]!r}?)" if near else ""
