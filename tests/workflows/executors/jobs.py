"""Workflows that worker processes run under test; a file beside the database tells what ran."""

from __future__ import annotations

import os
import time
from pathlib import Path

from dboshub import DBOS

DIARY = Path(os.environ.get("DIARY", os.devnull))


@DBOS.step()
def note(what: str, seconds: float) -> str:
    with DIARY.open("a") as diary:
        diary.write(f"{what} begins\n")
    time.sleep(seconds)
    with DIARY.open("a") as diary:
        diary.write(f"{what} ends\n")
    return what


@DBOS.workflow()
def work(name: str, steps: int, seconds: float) -> int:
    """So many steps of so many seconds, one after the other."""
    for number in range(steps):
        note(f"{name}-{number}", seconds)
    return steps


@DBOS.workflow(suspend=False)
def nap(seconds: float) -> str:
    """Stay here for so long, however long that is."""
    DBOS.sleep(seconds)
    return "rested"
