"""Test the installed wheel on the lowest and on the highest Python and Django that can be had here.

`python -m scripts.compat` builds the wheel, and for each of the two pairs makes an environment,
installs the wheel with its dependencies from the package index, and runs
tests/packaging/test_installed.py against it: a script, migrate, workers, every page. The lowest
pair has the lowest version of each dependency that pyproject.toml admits, the highest the newest.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

from tests.packaging.building import ROOT, build, copy_sources
from tests.packaging.conftest import GIVEN

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TOLD = "import sys, django; print(sys.version.split()[0], django.__version__)"


def supported() -> list[str]:
    """The versions of Python that the classifiers name, lowest first."""
    named = (re.search(r"Python :: (3\.\d+)$", each) for each in PROJECT["classifiers"])
    return [each[1] for each in named if each]


def interpreters() -> dict[str, Path]:
    """A Python of each supported version that is on this machine, lowest first."""
    found = {}
    for version in supported():
        for candidate in _candidates(version):
            if _runs(candidate, version):
                found[version] = candidate
                break
    return found


def _candidates(version: str) -> Iterator[Path]:
    if on_path := shutil.which(f"python{version}"):
        yield Path(on_path)
    yield from sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    yield from sorted(Path.home().glob(f".local/share/uv/python/*-{version}.*/bin/python"))
    yield Path(sys.executable)


def _runs(python: Path, version: str) -> bool:
    asked = [python, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"]
    told = subprocess.run(asked, capture_output=True, text=True)
    return told.returncode == 0 and told.stdout.strip() == version


def lowest_versions() -> list[str]:
    """Each dependency at the lowest version that is admitted."""
    return [
        f"{wanted.name}=={limit.version}"
        for wanted in map(Requirement, PROJECT["dependencies"])
        for limit in wanted.specifier
        if limit.operator == ">="
    ]


def test(python: Path, wheel: Path, constraints: list[str], folder: Path) -> bool:
    """Install the wheel into a new environment and run the tests against it."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    limits = folder / "constraints.txt"
    limits.write_text("\n".join(constraints))
    own = folder / "bin" / "python"
    pip = [own, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", wheel, "-c", limits], check=True)
    subprocess.run([*pip, "check"], check=True)
    versions = subprocess.run([own, "-c", TOLD], capture_output=True, text=True, check=True)
    pair = "Python {}, Django {}".format(*versions.stdout.split())
    print(f"== {pair} ==", flush=True)
    command = [sys.executable, "-m", "pytest", "-q", "tests/packaging/test_installed.py"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {GIVEN: str(own)})
    return done.returncode == 0


def main() -> None:
    pythons = list(interpreters().items())
    missing = set(supported()) - {version for version, _ in pythons}
    if missing:
        print(f"Not on this machine: Python {', '.join(sorted(missing))}")
    with tempfile.TemporaryDirectory(prefix="dboshub-compat-") as scratch:
        folder = Path(scratch)
        (folder / "source").mkdir()
        (folder / "dist").mkdir()
        build(copy_sources(folder / "source"), folder / "dist", "--wheel")
        (wheel,) = (folder / "dist").iterdir()
        lowest = test(pythons[0][1], wheel, lowest_versions(), folder / "lowest")
        highest = test(pythons[-1][1], wheel, [], folder / "highest")
    sys.exit(0 if lowest and highest else 1)


if __name__ == "__main__":
    main()
