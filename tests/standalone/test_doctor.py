"""What the doctor says of an installation, where it cannot be learned from a command's end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.db.utils import ConnectionHandler

from dboshub.doctor import lost_answers
from dboshub.doctor.findings import State
from dboshub.doctor.process import STYLE_SHEET, static_files
from dboshub.workflows.storage.answers import KEEPALIVES, AnsweredConnection

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


POOLED = {"pool": {"connection_class": AnsweredConnection}, **KEEPALIVES}
DJANGOS = "django.db.backends.postgresql"


@pytest.mark.parametrize(
    ("engine", "options", "missing"),
    [
        ("dboshub.workflows.django_postgresql", {}, None),
        ("django.db.backends.sqlite3", {}, None),
        (DJANGOS, {}, "OPTIONS lacks keepalives_idle"),
        (DJANGOS, dict(KEEPALIVES), "acknowledged and forgot"),
        (DJANGOS, {"pool": True, **KEEPALIVES}, "acknowledged and forgot"),
        (DJANGOS, {"pool": POOLED["pool"]}, "OPTIONS lacks keepalives_idle"),
        (DJANGOS, POOLED, None),
    ],
)
def test_connections_of_django_that_would_wait_for_ever_are_noted(
    engine: str, options: dict[str, Any], missing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ConnectionHandler({"default": {"ENGINE": engine, "NAME": "x", "OPTIONS": options}})
    monkeypatch.setattr(lost_answers, "connections", made)
    found = [*lost_answers.lost_answers()]
    if missing is None:
        assert all(each.state == State.OK for each in found)
    else:
        (finding,) = found
        assert finding.state == State.NOTE
        assert missing in finding.says
        assert lost_answers.OWN_ENGINE in finding.remedy
