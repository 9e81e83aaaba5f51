"""Executors of both libraries as processes, on a database that they share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
OURS, THEIRS = "dboshub", "dbos"


def library_url(url: str) -> str:
    """The URL as SQLAlchemy reads it."""
    return url.replace("postgresql://", "postgresql+psycopg://")


class Executor:
    """A process that runs the story with one of the libraries.

    `queues` are those it serves beside the internal one; all, if it is not given.
    """

    def __init__(self, library: str, url: str, folder: Path, **config: Any) -> None:
        settings = {
            "name": "story",
            "system_database_url": library_url(url),
            "application_version": "v1",
            "executor_id": library,
            **config,
        }
        self.library = library
        self.log = folder / f"{library}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.interop.program"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "STORY_LIBRARY": library,
                    "STORY_FOLDER": str(folder),
                    "STORY_CONFIG": json.dumps(settings),
                },
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.answer() == ["READY", library]

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
