"""An environment that holds the wheel and what the wheel says it needs, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

OUR_WARNING = re.compile(
    r"^.*/(?:dboshub/|shop\.py|script\.py).*:\d+: \w*Warning: .*", re.MULTILINE
)
WITHHELD = ("DBOS", "DJANGO", "PYTHON", "COVERAGE")


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment that has the wheel: its programs, and the folder where they run."""

    programs: Path
    folder: Path

    def python(self, *words: str, **variables: str) -> str:
        """Run the interpreter with these arguments; the output, once it has ended well."""
        return self._run("python", *words, **variables)

    def dboshub(self, *words: str, **variables: str) -> str:
        """Run the console command in the same way."""
        return self._run("dboshub", *words, **variables)

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """The console command, running beside the test and told to stop at its end."""
        log = self.folder / f"{words[0]}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                [self.programs / "dboshub", *words],
                cwd=self.folder,
                env=self._environment(),
                stdout=output,
                stderr=output,
            )
        try:
            yield process
        except BaseException as error:
            error.add_note(log.read_text()[-4_000:])
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        refuse_warnings(log.read_text())

    def _run(self, program: str, *words: str, **variables: str) -> str:
        done = subprocess.run(
            [self.programs / program, *words],
            cwd=self.folder,
            env=self._environment() | variables,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{words}:\n{done.stdout}\n{done.stderr}"
        refuse_warnings(done.stderr)
        return done.stdout

    def _environment(self) -> dict[str, str]:
        """The variables of a new user's shell: none that the test run set."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
        return kept | {
            "HOME": str(self.folder),
            "DBOSHUB_DATA_DIR": str(self.folder / "data"),
            "PYTHONWARNINGS": "default",
        }


def refuse_warnings(output: str) -> None:
    """Fail if our code uses what a later Python or Django takes away."""
    found = OUR_WARNING.findall(output)
    assert not found, "\n".join(found)


def make_environment(folder: Path, wheel: Path) -> Path:
    """Install the wheel without network; its dependencies are links to those of this run.

    Returns the folder of its programs. Only what the wheel's metadata asks for is linked, so an
    import of anything else fails here as it fails at a user's.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    command += ["--no-index", "--no-deps", "--no-compile", "--disable-pip-version-check"]
    subprocess.run([*command, str(wheel)], check=True, timeout=60)
    (packages,) = folder.glob("lib/python*/site-packages")
    for needed in dependencies(wheel_metadata(packages)):
        for file in needed.files or ():
            top = file.parts[0]
            link = packages / top
            if top not in ("..", "__pycache__") and not link.is_symlink():
                link.symlink_to(Path(str(needed.locate_file(top))))
    return python.parent


def wheel_metadata(packages: Path) -> Distribution:
    (folder,) = packages.glob("dboshub-*.dist-info")
    return Distribution.at(folder)


def dependencies(of: Distribution, extras: frozenset[str] = frozenset()) -> list[Distribution]:
    """What a distribution needs without its own extras, and what that needs, from this run."""
    found: dict[str, Distribution] = {}
    _collect(of, extras, found)
    return list(found.values())


def _collect(of: Distribution, extras: frozenset[str], found: dict[str, Distribution]) -> None:
    for line in of.requires or ():
        wanted = Requirement(line)
        chosen = [{"extra": extra} for extra in ("", *extras)]
        if wanted.marker and not any(wanted.marker.evaluate(each) for each in chosen):
            continue
        key = f"{wanted.name}[{','.join(sorted(wanted.extras))}]"
        if key not in found:
            found[key] = distribution(wanted.name)
            _collect(found[key], frozenset(wanted.extras), found)
