"""Programs written for ``dbos`` behave as they do there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from dboshub import DBOS, DBOSConfig
from tests.behaviour.cases import CASES, value_of
from tests.behaviour.every_case import NAMES
from tests.interop.executors import ROOT, THEIRS, library_url


@pytest.mark.parametrize("name", [each for each in NAMES if CASES[each].is_launched])
def test_with_our_library(name: str, dbos: type[DBOS], config: DBOSConfig) -> None:
    assert value_of(CASES[name], {**config}) == CASES[name].expected


@pytest.mark.parametrize("name", [each for each in NAMES if not CASES[each].is_launched])
def test_with_our_library_launched_within(name: str, config: DBOSConfig) -> None:
    try:
        assert value_of(CASES[name], {**config}) == CASES[name].expected
    finally:
        DBOS.destroy(grace_period_sec=1)


@pytest.mark.interop
def test_with_the_other_library(database_url: str) -> None:
    """Every case on one database: what it says is what the library does."""
    settings: dict[str, Any] = {
        "name": "test-app",
        "system_database_url": library_url(database_url),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "tests.behaviour.program"],
        cwd=ROOT,
        env={
            **os.environ,
            "BEHAVIOUR_LIBRARY": THEIRS,
            "BEHAVIOUR_CONFIG": json.dumps(settings),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found == {each: CASES[each].expected for each in NAMES}
