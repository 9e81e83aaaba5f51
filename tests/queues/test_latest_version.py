"""Everything that reads the latest version agrees on it, also where timestamps are equal."""

from __future__ import annotations

from itertools import permutations

import pytest

from dboshub.queues.engine.settings import QueueSettings
from dboshub.queues.storage.claim import Claimant, ClaimRequest, claim
from dboshub.queues.storage.registry import Registrar
from dboshub.schedules.storage.schedules import latest_version
from dboshub.workflows.storage.control import versions
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.queues.rows import APP, enqueue, tokens

INSERT = Statement("""
    INSERT INTO {application_versions} (
        version_id, version_name, version_timestamp, created_at, application_name
    )
    VALUES (:id, :name, 5, :created_at, :application)
""")
# By id, name and creation time. The latest is v2: of the two newest the one with the smaller id.
ROWS = [("3", "v1", 10), ("1", "v2", 20), ("2", "v3", 20)]


@pytest.mark.parametrize("inserted", [*permutations(ROWS)])
def test_all_readers_agree_on_the_latest_of_equal_timestamps(
    database: Database, inserted: tuple[tuple[str, str, int], ...]
) -> None:
    with database.writing() as session:
        for id, name, created_at in inserted:
            session.run(INSERT, id=id, name=name, created_at=created_at, application=APP)
        found = versions.latest(session, application=APP)
        assert found is not None
        assert found["version_name"] == "v2"
        assert latest_version(session, APP) == "v2"
        assert [name for _, name, _ in ROWS if Registrar(APP, name).is_latest(session)] == ["v2"]
    assert [name for _, name, _ in ROWS if claims(database, name)] == ["v2"]


def claims(database: Database, version: str) -> bool:
    """Whether an executor of this version claims a workflow that was enqueued without one."""
    [workflow_id] = enqueue(database, f"queue-{version}", application_version=None)
    request = ClaimRequest(
        claimant=Claimant(APP, version, "local"),
        queue=QueueSettings(name=f"queue-{version}"),
        tokens=tokens(1),
    )
    with database.writing() as session:
        return [each.workflow_id for each in claim(session, request)] == [workflow_id]
