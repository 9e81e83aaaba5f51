"""How a SQLite file is opened: never created by accident, and read without leaving a trace.

A read-only connection to a file in WAL mode normally makes the files ``-wal`` and ``-shm``, and
leaves them behind. Here it does neither: while both are there they are read as they are, and
without them the file is opened as immutable until another program begins to write.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

logger = logging.getLogger("dboshub")

SWITCH_TIMEOUT_S, SWITCH_PAUSE_S = 30.0, 0.02

# Of each file that was read past SQLite, by device and inode: never closed (`header_of`).
_descriptors: dict[tuple[int, int], int] = {}
_lock = threading.Lock()


class WalWithoutIndexError(sqlite3.OperationalError):
    """The file has a ``-wal`` with changes and no ``-shm``: reading it would create one."""

    def __init__(self) -> None:
        super().__init__(
            "changes lie in its -wal file and the -shm file beside it is missing, as in a copy: "
            "open it once with its application"
        )


@dataclass(frozen=True, slots=True)
class FileState:
    """What changes when any program commits to a file, or begins to write to it."""

    modified_ns: int
    size: int
    wal_modified_ns: int
    wal_size: int
    has_index: bool

    @property
    def is_still(self) -> bool:
        """Whether no program has changes in a ``-wal`` file."""
        return self.wal_size == 0


def state_of(path: Path) -> FileState:
    """Read it from the file system; nothing is opened. Raises OSError if there is no file."""
    main, wal = os.stat(path), _stat(path, "-wal")
    return FileState(
        main.st_mtime_ns,
        main.st_size,
        0 if wal is None else wal.st_mtime_ns,
        0 if wal is None else wal.st_size,
        _stat(path, "-shm") is not None,
    )


def create_private(path: Path) -> None:
    """Make the file, for its owner alone, unless it is there; SQLite gives its mode to those that
    it makes beside it. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def uri_to_write(path: Path) -> str:
    """Opens an existing file for reading and writing; fails where there is none."""
    return f"file:{quote(str(path))}?mode=rw"


def how_to_read(path: Path, *, has_writers: bool) -> tuple[str, FileState | None]:
    """The URI that opens an existing file so that reading changes no byte of it.

    All connections of a process to one file share its ``-shm``. Opened read-only, that file stays
    as it is, too, but no connection of the process can write; so that is done only where
    `has_writers` is False.

    With a state, the file is opened as immutable: SQLite notices no change, so the caller opens
    it again when `state_of` differs. Raises WalWithoutIndexError, and OSError if there is no file.
    """
    state = state_of(path)
    name = f"file:{quote(str(path))}"
    if state.has_index or not _is_wal(path):
        return f"{name}?mode=ro{'' if has_writers else '&readonly_shm=1'}", None
    if not state.is_still:
        raise WalWithoutIndexError
    return f"{name}?immutable=1", state


def use_wal(raw: sqlite3.Connection) -> None:
    """Switch the file to WAL mode, for good; where it cannot be, it stays as it is.

    SQLite does not wait for a transaction that is under way before it switches, so this does.
    """
    deadline = time.monotonic() + SWITCH_TIMEOUT_S
    while raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            mode = raw.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        except sqlite3.OperationalError as error:
            if not str(error).startswith("database is locked") or time.monotonic() > deadline:
                raise
            time.sleep(SWITCH_PAUSE_S)
            continue
        if mode != "wal":
            logger.warning("the SQLite file stays in journal mode %s: readers block writers", mode)
            return


def _is_wal(path: Path) -> bool:
    """Bytes 18 and 19 of the header are the versions to write and to read with: 2 means WAL."""
    return header_of(path)[18:20] == b"\x02\x02"


def header_of(path: Path) -> bytes:
    """The first 20 bytes of the file, read so that no connection loses its locks.

    When a process closes any descriptor of a file, POSIX drops all locks that the process holds
    on it, those of its SQLite connections included. So one descriptor for each file is opened and
    stays open until the process ends. Raises OSError if there is no file.
    """
    with _lock:
        found = os.stat(path)
        descriptor = _descriptors.get((found.st_dev, found.st_ino))
        if descriptor is None:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            opened = os.fstat(descriptor)
            _descriptors[opened.st_dev, opened.st_ino] = descriptor
        return os.pread(descriptor, 20, 0)


def _stat(path: Path, suffix: str) -> os.stat_result | None:
    try:
        return os.stat(f"{path}{suffix}")
    except OSError:
        return None
