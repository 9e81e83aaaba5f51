"""What the doctor says of an installation, where it cannot be learned from a command's end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dboshub.doctor.findings import State
from dboshub.doctor.process import STYLE_SHEET, static_files

PLAIN = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}


def state_of_static_files() -> State:
    (finding,) = static_files()
    return finding.state


def test_static_files_that_only_runserver_finds_are_noted(settings: Any, tmp_path: Path) -> None:
    settings.STORAGES = {**settings.STORAGES, **PLAIN}
    settings.STATIC_ROOT = None
    assert state_of_static_files() == State.NOTE
    settings.STATIC_ROOT = tmp_path
    assert state_of_static_files() == State.NOTE
    (tmp_path / STYLE_SHEET).parent.mkdir(parents=True)
    (tmp_path / STYLE_SHEET).touch()
    assert state_of_static_files() == State.OK
