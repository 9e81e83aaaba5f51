"""Where the standalone project keeps its files. Nothing here creates a directory."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parents[1]
NAME = "dboshub"


def data_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """``DBOSHUB_DATA_DIR``, else ``var/`` of a checkout, else the user's directory for data."""
    given = environment.get("DBOSHUB_DATA_DIR", "").strip()
    if given:
        return Path(given).expanduser().absolute()
    root = checkout()
    return root / "var" if root is not None else _users_data(environment) / NAME


def checkout() -> Path | None:
    """The root of the checkout that this package is imported from; None for an installed one."""
    root = PACKAGE_DIR.parent
    return root if (root / "manage.py").is_file() and (root / "pyproject.toml").is_file() else None


def _users_data(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    if sys.platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    if sys.platform == "darwin":
        return home / "Library" / "Application Support"
    # The specification: a path that is not absolute is to be ignored.
    given = Path(environment.get("XDG_DATA_HOME", ""))
    return given if given.is_absolute() else home / ".local" / "share"
