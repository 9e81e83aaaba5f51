"""A plain script imports the facade first and configures it later: Django comes with launch()."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from dboshub import DBOS, DBOSConfig, DBOSConfiguredInstance, Queue, SetWorkflowID

queue = Queue("imports")

@DBOS.step()
def add(one: int, other: int) -> int:
    return one + other

@DBOS.workflow()
def total(numbers: list[int]) -> int:
    return sum(add(number, 0) for number in numbers)

unwanted = {"django", "channels", "asgiref", "psycopg", "twisted"} & set(sys.modules)
assert not unwanted, f"importing and decorating brought in {sorted(unwanted)}"
"""


def test_importing_and_decorating_brings_in_no_framework_and_no_driver() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
