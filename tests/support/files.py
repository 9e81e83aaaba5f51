"""What a SQLite file and the files beside it hold, byte for byte."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path


def snapshot(path: Path) -> dict[str, str]:
    """Each file of a SQLite database by its name: its size and a digest of its content.

    Another process reads them: one that closes a file drops the locks of its own connections.
    """
    found = sorted(path.parent.glob(f"{path.name}*"))
    return {
        each.name: f"{each.stat().st_size} {sha256(_content(each)).hexdigest()}" for each in found
    }


def recorded(path: Path) -> dict[str, str]:
    """The same of the files that hold what was recorded.

    A ``-shm`` file is named only: it is an index in memory that all processes share which may
    write to the database, and whoever opens the database for writing after a crash makes it anew.
    """
    return {
        name: "" if name.endswith("-shm") else content for name, content in snapshot(path).items()
    }


def _content(path: Path) -> bytes:
    return subprocess.run(["cat", str(path)], check=True, capture_output=True).stdout
