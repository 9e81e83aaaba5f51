"""Executors of all libraries as processes, on a database that they share."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TYPESCRIPT = Path(__file__).parent / "typescript"
OURS, THEIRS = "dboshub", "dbos"


def library_url(url: str) -> str:
    """The URL as SQLAlchemy reads it."""
    return url.replace("postgresql://", "postgresql+psycopg://")


class Process:
    """An executor that is told what to do by lines of JSON, and answers so."""

    def __init__(self, command: list[str], name: str, folder: Path, **environment: str) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.answer() == ["READY", name]

    def ask(self, verb: str, *arguments: Any) -> None:
        """Ask for something, without waiting for the answer."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps([verb, *arguments]) + "\n")
        self.process.stdin.flush()

    def answer(self) -> list[Any]:
        """The next answer: ["OK", value] or [error, message]."""
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        found: list[Any] = json.loads(line)
        return found

    def do(self, verb: str, *arguments: Any) -> Any:
        """Ask for something that succeeds; returns its value."""
        self.ask(verb, *arguments)
        status, value = self.answer()
        assert status == "OK", f"{status}: {value}"
        return value

    def kill(self) -> None:
        """Do what kill -9 does."""
        self.process.kill()
        self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()

    def stop(self) -> None:
        """End cleanly, at the end of its input."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(30) == 0, self.log.read_text()


class Executor(Process):
    """A process that runs the story with one of the Python libraries.

    `queues` are those it serves beside the internal one; all, if it is not given. `code` is the
    version of the workflow ``upgraded`` that it runs: old, patched or deprecated.
    """

    def __init__(
        self, library: str, url: str, folder: Path, *, code: str = "old", **config: Any
    ) -> None:
        settings = {
            "name": "story",
            "system_database_url": library_url(url),
            "application_version": "v1",
            "executor_id": library,
            **config,
        }
        self.library = library
        super().__init__(
            [sys.executable, "-m", "tests.interop.program"],
            library,
            folder,
            STORY_LIBRARY=library,
            STORY_FOLDER=str(folder),
            STORY_CODE=code,
            STORY_CONFIG=json.dumps(settings),
        )


class TypeScript(Process):
    """A process of the TypeScript library: an executor and a client in one."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(
            ["node", str(TYPESCRIPT / "program.cjs")],
            "typescript",
            folder,
            SDK_FOLDER=str(typescript_library()),
            SYSTEM_URL=url,
        )


def typescript_library() -> Path:
    """Where the pinned TypeScript library is installed: by npm, once for a machine."""
    manifest = TYPESCRIPT / "package.json"
    [version] = json.loads(manifest.read_text())["dependencies"].values()
    folder = Path(tempfile.gettempdir()) / f"dboshub-dbos-sdk-{version}"
    if not folder.is_dir():
        fresh = Path(tempfile.mkdtemp(prefix="dboshub-npm-"))
        shutil.copy(manifest, fresh)
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=fresh, check=True, capture_output=True)
        fresh.rename(folder)
    return folder
