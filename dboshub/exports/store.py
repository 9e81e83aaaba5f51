"""Exports as files of this machine: the data, and beside it a note of what it is and how far.

They are readable by this account alone and gone EXPIRES_MS after they were begun.
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
# The note of an export under way that was not touched for so long is of a process that ended.
SILENT_MS = 60_000
MOST_OF_ONE = 10
MOST = 30

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export by one person. `after` is where it began, `older` where a further one goes on.

    `scope` holds the applications its maker saw, None if all; `reached` is the moment down to
    which rows were looked through; `problem` says why it failed.
    """

    key: str
    user: int
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
    """No room for one more until others have expired."""


def new_key() -> str:
    return secrets.token_urlsafe(18).replace("-", "_")


def add(export: Export) -> None:
    """Keep a new export. Raises TooManyError."""
    sweep()
    known = [*all_exports()]
    own = [each for each in known if each.user == export.user]
    if len(own) >= MOST_OF_ONE or len(known) >= MOST:
        raise TooManyError
    _write_metadata(export)


def update(export: Export) -> bool:
    """Write down how far it is; False if it was discarded meanwhile."""
    if not _metadata_path(export.key).exists():
        return False
    _write_metadata(export)
    return True


def find(key: str, user: int) -> Export | None:
    """An export of this person's that has not expired, as it is now."""
    export = _read(_metadata_path(key))
    if export is None or export.user != user or export.expires_at < now_ms():
        return None
    return export


def of_user(user: int) -> list[Export]:
    """This person's exports, the newest first."""
    sweep()
    own = [each for each in all_exports() if each.user == user]
    return sorted(own, key=lambda each: -each.made_at)


def all_exports() -> Iterator[Export]:
    for path in _folder().glob("*.json"):
        export = _read(path)
        if export is not None:
            yield export


def discard(key: str) -> None:
    """Remove it; if it is being written, that ends at its next chunk."""
    for path in (_metadata_path(key), data_path(key)):
        path.unlink(missing_ok=True)


def sweep() -> None:
    """Remove what has expired, and data whose note is gone."""
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
    """Where exports are; it exists once the first was written."""
    return data_dir() / "exports"


def sweep_at_start() -> None:
    """Remove what an earlier process left; a directory that cannot be written to holds nothing."""
    with suppress(OSError):
        sweep()


def _write_metadata(export: Export) -> None:
    folder = _folder()
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    # Replaced whole, so that nobody reads half of it.
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
