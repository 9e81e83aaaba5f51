"""Assertions of test files rewritten once in a run: each process does a part for all.

Otherwise each of them rewrites every file of a fresh checkout, all at the same time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.assertion import rewrite


def rewrite_part(config: pytest.Config, number: int, count: int) -> None:
    """Rewrite what no earlier run has of the files to be collected, the part `number` of `count`.

    What pytest then collects it reads from its cache.
    """
    if sys.dont_write_bytecode:
        return
    for file in _files(config)[number::count]:
        folder = rewrite.get_cache_dir(file)
        compiled = folder / f"{file.stem}{rewrite.PYC_TAIL}"
        if rewrite._read_pyc(file, compiled) is None and rewrite.try_makedirs(folder):
            state = config.stash[rewrite.assertstate_key]
            digest, code = rewrite._rewrite_test(file, config)
            rewrite._write_pyc(state, code, digest, compiled)


def _files(config: pytest.Config) -> list[Path]:
    given = [config.invocation_params.dir / each.partition("::")[0] for each in config.args]
    found = {file for path in given for file in (path.rglob("test_*.py") if path.is_dir() else [])}
    return sorted(found)
