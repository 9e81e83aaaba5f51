"""Adds one step to the build: the hashed, compressed static files of the standalone dashboard.

All other facts about the package are in pyproject.toml.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class BuildWithStaticFiles(build_py):
    """Copies the package's files, then collects `static/` into `dboshub/standalone/collected`."""

    def run(self) -> None:
        package = Path(self.build_lib) / "dboshub"
        if not self.editable_mode:
            # Files of an earlier build would stay, and go into the wheel.
            shutil.rmtree(package, ignore_errors=True)
        super().run()
        if not self.editable_mode:
            collect(package / "standalone" / "collected")


def collect(target: Path) -> None:
    """Write hashed and compressed copies with their manifest; the plain files stay in `static/`."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    storage = _load("dboshub_static_files", ROOT / "dboshub" / "web" / "static_files.py")
    settings.configure(
        INSTALLED_APPS=["django.contrib.staticfiles"],
        STATICFILES_DIRS=[ROOT / "dboshub" / "static"],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STATIC_ROOT=target,
        STATIC_URL="static/",
        STORAGES={"staticfiles": {"BACKEND": f"{storage}.HashedStaticFiles"}},
        WHITENOISE_KEEP_ONLY_HASHED_FILES=True,
    )
    django.setup()
    call_command("collectstatic", interactive=False, verbosity=0)


def _load(name: str, path: Path) -> str:
    """Import one module by its path: the package itself needs more than a build has."""
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(name, path=str(path))
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return name


setup(cmdclass={"build_py": BuildWithStaticFiles})
