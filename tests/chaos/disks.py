"""Small disks that can be filled: file systems in memory, which root may mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# Outlives a killed test process just long enough to take the disk away.
KEEPER = 'mount -t tmpfs -o size="$SIZE" chaos "$PLACE" && echo && read _; umount -l "$PLACE"'
BALLAST = 64 * 1024


@dataclass(frozen=True)
class Disk:
    """A directory with room for so many bytes and no more."""

    place: Path

    def fill(self) -> None:
        """Leave no byte."""
        with self._ballast.open("ab", buffering=0) as ballast:
            size = BALLAST
            while size:
                try:
                    ballast.write(b"\0" * size)
                except OSError:
                    size //= 2

    def empty(self) -> None:
        self._ballast.unlink()

    @property
    def _ballast(self) -> Path:
        return self.place / "ballast"


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Disk]:
    """Mount one at a new directory, with a size as ``64m``; skip where that is not permitted."""
    place.mkdir()
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", KEEPER],
        env={**os.environ, "SIZE": size, "PLACE": str(place)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with keeper:
        assert keeper.stdout is not None
        if not keeper.stdout.readline():
            pytest.skip(f"no disk can be mounted here: {keeper.communicate()[1].decode()}")
        try:
            yield Disk(place)
        finally:
            keeper.communicate()
