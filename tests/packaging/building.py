"""Builds the distributions from a copy of the working tree, and lists what they hold."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINKS = ("workflows", "queues", "schedules", "templates", "static")


def tracked_files() -> list[str]:
    """Files of the working tree that Git knows or would add, with `/`, links not followed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(name for name in listed.split("\0") if name and os.path.lexists(ROOT / name))


def copy_sources(target: Path) -> Path:
    """Copy the tracked files: a build leaves files behind, and must not see those of others."""
    for name in tracked_files():
        copy = target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy, follow_symlinks=False)
    return target


def build(source: Path, target: Path, *kinds: str) -> None:
    """Build a `--wheel`, an `--sdist`, or both, with the build tools of this environment."""
    command = [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(target)]
    done = subprocess.run([*command, str(source)], cwd=target, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def unpack(sdist: Path, target: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    (folder,) = target.iterdir()
    return folder


def contents(wheel: Path) -> dict[str, str]:
    """The files of a wheel, each with a digest of its content."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}
