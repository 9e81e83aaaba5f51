"""What takes long to make and is only read or copied: made once in a run, by who needs it first."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.postgres import Server

# The name of the database that was made.
DATABASE = "database"


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled, in this process of the run or in another.

    Processes that ask for it meanwhile wait. What `make` raises is raised, and the next one tries.
    """
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Each has a folder of its own in that of the run.
        root = root.parent
    folder = root / name
    with (root / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            begun = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
            make(begun)
            begun.rename(folder)
    return folder


def once_in_postgres(
    factory: pytest.TempPathFactory, name: str, server: Server, fill: Callable[[str], None]
) -> str:
    """The name of a database that `fill` has filled, to copy from until the run ends."""

    def make(folder: Path) -> None:
        (folder / DATABASE).write_text(server.kept_database(fill))

    return (once(factory, name, make) / DATABASE).read_text()
