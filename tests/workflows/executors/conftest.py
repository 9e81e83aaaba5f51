"""The database of a fleet, whose nodes are disconnected before it is looked at for leaks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dboshub.workflows.storage.database import Database
from tests.workflows.executors.fleet import disconnect_all


@pytest.fixture
def database(database: Database) -> Iterator[Database]:
    yield database
    disconnect_all()
