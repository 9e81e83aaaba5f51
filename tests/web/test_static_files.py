"""What collectstatic makes of our files: every reference names a content, not just a path."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from dboshub.settings import STORAGES

IMPORT = re.compile(r"""\b(?:from|import)\s+["']([^"']+)["']""")


@pytest.fixture
def collected(tmp_path: Path) -> Path:
    with override_settings(STATIC_ROOT=tmp_path, STORAGES=STORAGES):
        call_command("collectstatic", "--no-input", verbosity=0, skip_checks=True)
    return tmp_path


def test_modules_import_each_other_by_hashed_names(collected: Path) -> None:
    paths: dict[str, str] = json.loads((collected / "staticfiles.json").read_text())["paths"]
    served = {collected / hashed for hashed in paths.values()}
    modules = [
        collected / hashed for name, hashed in paths.items() if name.startswith("dboshub/js/")
    ]
    imported = [
        (module.parent / url).resolve()
        for module in modules
        for url in IMPORT.findall(module.read_text())
    ]
    assert len(imported) > 5
    assert set(imported) <= {path.resolve() for path in served}
