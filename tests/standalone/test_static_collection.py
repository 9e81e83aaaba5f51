"""Static files are collected once, and again whenever they would come out otherwise."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dboshub.settings import STORAGES
from dboshub.standalone import static_collection
from dboshub.standalone.static_collection import collect_static_files
from dboshub.web.static_files import STAMP, HashedStaticFiles

FINDER = "django.contrib.staticfiles.finders.FileSystemFinder"


@pytest.fixture
def sources(settings: Any, tmp_path: Path) -> Path:
    """A folder with all that there is to collect."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "page.css").write_text("p { color: red }")
    (folder / "page.js").write_text("let seen = 1;")
    settings.STATICFILES_FINDERS = [FINDER]
    settings.STATICFILES_DIRS = [folder]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STORAGES = STORAGES
    settings.IS_COLLECTED = False
    collect_static_files()
    return folder


def manifest(settings: Any) -> Path:
    return Path(settings.STATIC_ROOT) / "staticfiles.json"


def is_collected_anew(settings: Any) -> bool:
    """Whether another call collects."""
    before = manifest(settings).stat() if manifest(settings).exists() else None
    collect_static_files()
    return before != manifest(settings).stat()


def hashed(settings: Any, name: str) -> str:
    paths: dict[str, str] = json.loads(manifest(settings).read_text())["paths"]
    return (Path(settings.STATIC_ROOT) / paths[name]).read_text()


def test_what_lies_there_is_not_collected_again(sources: Path, settings: Any) -> None:
    assert hashed(settings, "page.css") == "p { color: red }"
    assert not is_collected_anew(settings)


def test_a_changed_file_is_collected_though_it_is_older(sources: Path, settings: Any) -> None:
    """An installed package has the times of its release."""
    changed = sources / "page.css"
    changed.write_text("p { color: sea }")
    os.utime(changed, (1, 1))
    os.utime(Path(settings.STATIC_ROOT) / "page.css", (0, 0))
    assert is_collected_anew(settings)
    assert hashed(settings, "page.css") == "p { color: sea }"
    assert not is_collected_anew(settings)


@pytest.mark.parametrize("change", ["added", "removed", "moved"])
def test_another_list_of_files_is_collected(
    sources: Path, settings: Any, tmp_path: Path, change: str
) -> None:
    if change == "added":
        (sources / "more.js").write_text("let more = 1;")
    elif change == "removed":
        (sources / "page.js").unlink()
    else:
        settings.STATICFILES_DIRS = [shutil.copytree(sources, tmp_path / "moved")]
    assert is_collected_anew(settings)
    assert not is_collected_anew(settings)


def test_another_release_of_what_collects_them(
    sources: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_collection, "version", lambda name: f"{name} of tomorrow")
    assert is_collected_anew(settings)
    settings.STORAGES = STORAGES | {
        "staticfiles": STORAGES["staticfiles"] | {"OPTIONS": {"base_url": "/files/"}}
    }
    assert is_collected_anew(settings)


def test_a_folder_that_was_removed(sources: Path, settings: Any) -> None:
    shutil.rmtree(settings.STATIC_ROOT)
    assert is_collected_anew(settings)


def test_a_collection_that_was_interrupted(
    sources: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = sources / "page.css"
    before = page.stat()
    page.write_text("p { color: blue }")

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as before_the_end:
        before_the_end.setattr(HashedStaticFiles, "save_manifest", interrupt)
        with pytest.raises(KeyboardInterrupt):
            collect_static_files()
    page.write_text("p { color: red }")
    os.utime(page, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert is_collected_anew(settings)
    assert hashed(settings, "page.css") == "p { color: red }"
    assert not is_collected_anew(settings)


def test_another_program_that_was_interrupted_when_it_replaced_a_file(
    sources: Path, settings: Any
) -> None:
    HashedStaticFiles().delete("page.js")
    assert not (Path(settings.STATIC_ROOT) / STAMP).exists()
    assert is_collected_anew(settings)
    assert hashed(settings, "page.js") == "let seen = 1;"


def test_an_installed_package_brings_them(sources: Path, settings: Any) -> None:
    settings.IS_COLLECTED = True
    (sources / "more.js").write_text("let more = 1;")
    assert not is_collected_anew(settings)
