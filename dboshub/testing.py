"""Fixtures for pytest: an engine for each test, on a database with nothing in it.

``pytest_plugins = ["dboshub.testing"]`` in conftest.py, and a test asks for ``reset_dbos``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dboshub.config import DBOSConfig
from dboshub.facade import DBOS

DATABASE = "TESTING_DATABASE_URL"

_made: set[str] = set()  # databases that a test of this run has made


@pytest.fixture
def dbos_config(tmp_path: Path) -> DBOSConfig:
    """The configuration of tests; define a fixture of this name to have another.

    The database is that of TESTING_DATABASE_URL, whose content is thrown away, or else a SQLite
    file of the test's own.
    """
    url = os.environ.get(DATABASE) or f"sqlite:///{tmp_path / 'dbos.sqlite'}"
    return {"name": "dbos-test-app", "system_database_url": url}


@pytest.fixture
def reset_dbos(dbos_config: DBOSConfig) -> Iterator[type[DBOS]]:
    """Launch on an empty database, and destroy at the end; the value is the class ``DBOS``.

    A database is dropped before the first test of a run that uses it, and emptied before others.
    """
    DBOS.destroy()
    dbos = DBOS(config=dbos_config)
    url = dbos.config["system_database_url"]
    DBOS.reset_system_database(truncate=url in _made)
    DBOS.launch()
    _made.add(url)
    yield DBOS
    DBOS.destroy()
