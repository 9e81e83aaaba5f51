"""What the processes of a test did, in a file that no fault of the database reaches.

A fact is one line, appended by one call of the kernel: a process that is killed loses none that it
wrote, and the order of the lines is the order in which they were written, whatever the clocks say.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LEDGER = "CHAOS_LEDGER"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what was done, by which process, and at which second of the machine's clock."""

    what: str
    pid: int
    at: float
    details: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.details[name]


class Ledger:
    """The file. What a process is about to do, or has done, is written before it goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        # Kept open: a process without descriptors must still be able to tell what it does.
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @classmethod
    def of_environment(cls) -> Ledger:
        return cls(Path(os.environ[LEDGER]))

    def write(self, what: str, *, pid: int | None = None, **details: Any) -> None:
        # No sitecustomize changes this clock, unlike time.time().
        at = time.clock_gettime(time.CLOCK_REALTIME)
        fact = {"what": what, "pid": pid or os.getpid(), "at": at, "details": details}
        line = json.dumps(fact).encode() + b"\n"
        if os.write(self._file, line) != len(line):
            raise OSError("the ledger has no room")

    def size(self) -> int:
        """Where the next fact will be, for `facts`."""
        return os.fstat(self._file).st_size

    def facts(self, *kinds: str, start: int = 0) -> Iterator[Fact]:
        """Give the facts of these kinds, or all, in the order in which they were written."""
        with self._path.open() as lines:
            lines.seek(start)
            for line in lines:
                fact = Fact(**json.loads(line))
                if not kinds or fact.what in kinds:
                    yield fact

    def close(self) -> None:
        os.close(self._file)
