"""The web process, with a note of each tick: how many topics, which statements, how long."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from bench.loaded import TICKS
from dboshub.live import watcher
from dboshub.standalone.asgi import application
from dboshub.workflows.storage.sql import Session

__all__ = ["application"]


class CountedLook(watcher._TickReader):
    """Looks as the original does."""

    def __init__(self, broadcaster: Any, sources: Any, timings: Any, connection: Any) -> None:
        inner = connection.session
        self._texts: list[int] = []

        def execute(text: str, params: dict[str, Any]) -> Any:
            self._texts.append(hash(text))
            return inner._execute(text, params)

        connection.session = Session(inner.dialect, execute, inner._script)
        super().__init__(broadcaster, sources, timings, connection)
        self._notes = (Path(os.environ["DBOSHUB_DATA_DIR"]) / TICKS).open("a", buffering=1)

    def tick(self) -> float:
        self._texts.clear()
        took = super().tick()
        note = {
            "topics": self._broadcaster.topic_count(),
            "statements": self._texts,
            "took": took,
            "asked": self.query_seconds,
        }
        print(json.dumps(note), file=self._notes)
        return took


watcher._TickReader = CountedLook  # type: ignore[misc]
