"""Exports as files of this machine: a data file, and a metadata file with its progress.

Only the account of the process can read them. They are deleted EXPIRES_MS after they were begun.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from dboshub.workflows.clock import now_ms
from dboshub.workflows.django_settings import data_dir

EXPIRES_MS = 60 * 60 * 1_000
# An active export whose metadata was not touched for this long belongs to a process that ended.
SILENT_MS = 60_000
MAX_PER_USER = 10
MAX_EXPORTS = 30

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export of one user. Times are epoch ms.

    `after` is the cursor at which it begins, `older` the one at which another export can continue.
    `scope` holds the applications that the user saw, None for all. `reached` is the time down to
    which rows were read. `problem` says why it failed.
    """

    key: str
    user: str
    made_at: int
    of: str
    query: str
    format: str
    payload: bool = False
    scope: list[str] | None = None
    after: str = ""
    state: str = WAITING
    touched_at: int = 0
    rows: int = 0
    size: int = 0
    reached: int | None = None
    older: str = ""
    problem: str = ""

    @property
    def is_active(self) -> bool:
        return self.state in (WAITING, RUNNING)

    @property
    def expires_at(self) -> int:
        return self.made_at + EXPIRES_MS

    @property
    def file_name(self) -> str:
        return f"dboshub-{self.of}-{self.made_at}.{self.format}"


class TooManyError(Exception):
    """The number of exports is at its limit."""


def new_key() -> str:
    return secrets.token_urlsafe(18).replace("-", "_")


def add(export: Export) -> None:
    """Store a new export. Raises TooManyError."""
    sweep()
    known = [*all_exports()]
    own = [each for each in known if each.user == export.user]
    if len(own) >= MAX_PER_USER or len(known) >= MAX_EXPORTS:
        raise TooManyError
    _write_metadata(export)


def update(export: Export) -> bool:
    """Store the progress of an export; False if it was discarded."""
    if not _metadata_path(export.key).exists():
        return False
    _write_metadata(export)
    return True


def find(key: str, user: str) -> Export | None:
    """An export of this user that has not expired, or None."""
    export = _read(_metadata_path(key))
    if export is None or export.user != user or export.expires_at < now_ms():
        return None
    return export


def of_user(user: str) -> list[Export]:
    """The exports of this user, newest first."""
    sweep()
    own = [each for each in all_exports() if each.user == user]
    return sorted(own, key=lambda each: -each.made_at)


def all_exports() -> Iterator[Export]:
    for path in _folder().glob("*.json"):
        export = _read(path)
        if export is not None:
            yield export


def discard(key: str) -> None:
    """Delete an export. If it is being written, the writer stops at its next chunk."""
    for path in (_metadata_path(key), data_path(key)):
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Delete expired exports, and data files without metadata."""
    for export in all_exports():
        if export.expires_at < now_ms():
            discard(export.key)
    for path in _folder().glob("*.data"):
        if not path.with_suffix(".json").exists():
            path.unlink(missing_ok=True)


@contextmanager
def writing(key: str) -> Iterator[IO[bytes]]:
    with _opened(data_path(key)) as file:
        yield file


def data_path(key: str) -> Path:
    return _folder() / f"{key}.data"


def _metadata_path(key: str) -> Path:
    return _folder() / f"{key}.json"


def _folder() -> Path:
    """The directory of exports; it exists once the first export was written."""
    return data_dir() / "exports"


def sweep_at_start() -> None:
    """Delete expired exports of earlier processes; ignores a directory that is not writable."""
    with suppress(OSError):
        sweep()


def _write_metadata(export: Export) -> None:
    folder = _folder()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    # Replaced atomically, so that nobody reads a part of it.
    draft = folder / f"{export.key}.{secrets.token_hex(4)}.draft"
    with _opened(draft) as file:
        file.write(json.dumps(asdict(export)).encode())
    draft.replace(_metadata_path(export.key))


def _read(path: Path) -> Export | None:
    with suppress(OSError, ValueError, TypeError):
        export = Export(**json.loads(path.read_text()))
        return _failed_if_silent(export)
    return None


def _failed_if_silent(export: Export) -> Export:
    silent = now_ms() - export.touched_at > SILENT_MS
    if not (export.is_active and silent):
        return export
    known = asdict(export) | {"state": FAILED, "problem": "The process that wrote it has ended."}
    return Export(**known)


def _opened(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
