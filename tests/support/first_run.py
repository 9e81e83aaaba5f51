"""What pytest and hypothesis prepare in a fresh checkout: each process does a part for all.

Otherwise each of them does all of it, at the same time.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from _pytest.assertion import rewrite
from hypothesis.internal import constants_ast


def prepare_part(config: pytest.Config, number: int, count: int) -> None:
    """Do the part `number` of `count`, as far as no earlier run has: what follows finds it cached.

    Assertions of the test files to be collected are rewritten, and constants of our modules are
    found, from which hypothesis draws examples.
    """
    if not sys.dont_write_bytecode:
        for file in _test_files(config)[number::count]:
            _rewrite(config, file)
    for name in sorted(sys.modules)[number::count]:
        file_of_module = getattr(sys.modules[name], "__file__", None)
        if file_of_module is not None and constants_ast.is_local_module_file(file_of_module):
            constants_ast.constants_from_module(sys.modules[name])


def _test_files(config: pytest.Config) -> list[Path]:
    given = [config.invocation_params.dir / each.partition("::")[0] for each in config.args]
    found = {file for path in given for file in (path.rglob("test_*.py") if path.is_dir() else [])}
    return sorted(found)


def _rewrite(config: pytest.Config, file: Path) -> None:
    folder = rewrite.get_cache_dir(file)
    compiled = folder / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite._read_pyc(file, compiled) is None and rewrite.try_makedirs(folder):
        digest, code = rewrite._rewrite_test(file, config)
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, digest, compiled)
