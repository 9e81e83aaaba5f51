"""Static files collected into the data directory: again only when they would come out otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2s
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from dboshub.web import static_files

TOOLS = ("Django", "whitenoise")


def collect_static_files() -> None:
    """Collect them, unless the installed package brings them or they lie there as they would be.

    A collection that is interrupted leaves no stamp, and the next one begins anew.
    """
    if getattr(settings, "IS_COLLECTED", False):
        return
    stamp = Path(settings.STATIC_ROOT) / static_files.STAMP
    sources = _sources()
    if _content_of(stamp) == sources:
        return
    stamp.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
    stamp.write_text(sources)


def _sources() -> str:
    """A digest of all that the collected files are made of and by."""
    return blake2s("\n".join([*_tools(), *_files()]).encode("utf-8", "surrogatepass")).hexdigest()


def _tools() -> Iterator[str]:
    yield from (f"{name} {version(name)}" for name in TOOLS)
    # Where it is installed, files are compressed in a second way.
    yield f"brotli {find_spec('brotli') is not None}"
    yield str(settings.STORAGES["staticfiles"])
    yield _described(static_files.__file__)


def _files() -> Iterator[str]:
    """Each file that would be collected, in the order in which the first of a name wins."""
    for finder in get_finders():
        for path, storage in finder.list([]):
            yield f"{getattr(storage, 'prefix', '')} {path} {_described(storage.path(path))}"


def _described(path: str) -> str:
    """A file by its place, size and time: another release may be older than what it replaces."""
    found = os.stat(path)
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def _content_of(stamp: Path) -> str:
    try:
        return stamp.read_text()
    except FileNotFoundError:
        return ""
