"""The folders at the top level are one package: no module has two import names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINKS = ("workflows", "queues", "schedules", "templates", "static")
PROGRAM = """
import os, sys
import django
django.setup()
from django.urls import get_resolver
import dboshub.standalone.asgi
get_resolver().url_patterns
root = os.getcwd()
files = {}
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and os.path.realpath(file).startswith(root) and name != "__main__":
        files.setdefault(os.path.realpath(file), []).append(name)
doubled = [names for names in files.values() if len(set(names)) > 1]
assert not doubled, doubled
assert len(files) > 300, len(files)
strays = {"workflows", "queues", "schedules"} & set(sys.modules)
assert not strays, strays
"""


def test_the_links_lead_to_the_folders_of_the_same_names() -> None:
    for name in LINKS:
        link = ROOT / "dboshub" / name
        assert link.is_symlink(), f"{link} must be a link: git config core.symlinks true"
        assert os.readlink(link) == f"../{name}"


def test_no_module_is_loaded_under_two_names(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "dboshub.settings",
        "DBOSHUB_DATA_DIR": str(tmp_path),
        "DBOSHUB_ROLLUPS": "0",
        "DBOSHUB_BULK": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
