"""The command line as its user calls it, for advice that can be copied."""

from __future__ import annotations

import sys
from pathlib import Path

from dboshub.workflows.django_settings import settings_module

# Not resolved: in a checkout this folder is reached by a link in the package.
PACKAGE = Path(__file__).absolute().parents[1]
STANDALONE = "dboshub.settings"


def command(*words: str) -> str:
    """A command of this installation: ``manage.py migrate``, or ``dboshub migrate``."""
    return " ".join((_program(), *words))


def program_command() -> list[str]:
    """How another process of this installation is started: the words before a command's name."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        # By its path it would have the package's own directory on its path, not the current one.
        return [sys.executable, "-m", PACKAGE.name]
    return [sys.executable, sys.argv[0]]


def _program() -> str:
    called = Path(sys.argv[0])
    if called.stem == "dboshub":
        return "dboshub"
    if called.name == "__main__.py" and called.parent.name == PACKAGE.name:
        return "python -m dboshub"
    if called.name != "manage.py" and _is_installed_alone():
        return "dboshub"
    return "manage.py"


def _is_installed_alone() -> bool:
    """Whether a web server runs the standalone dashboard from a wheel, without a manage.py."""
    is_standalone = settings_module() == STANDALONE
    return is_standalone and not (PACKAGE.parent / "manage.py").exists()
