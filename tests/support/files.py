"""What a SQLite file and the files beside it hold, byte for byte."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path


def snapshot(path: Path) -> dict[str, str]:
    """Each file of a SQLite database by its name: its size and a digest of its content."""
    found = sorted(path.parent.glob(f"{path.name}*"))
    return {
        each.name: f"{each.stat().st_size} {sha256(each.read_bytes()).hexdigest()}"
        for each in found
    }
