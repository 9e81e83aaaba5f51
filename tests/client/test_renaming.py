"""An application gets another name, and with it all it owns."""

from __future__ import annotations

from typing import Any

import pytest

from dboshub import DBOSClient
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database import Database
from dboshub.workflows.storage.sql import Statement
from tests.support.runs import add_step, add_workflow, insert

OWNERS = Statement(
    """
    SELECT w.workflow_uuid, w.application_name, MIN(s.application_name)
    FROM {workflow_status} AS w
    LEFT JOIN {operation_outputs} AS s ON s.workflow_uuid = w.workflow_uuid
    GROUP BY w.workflow_uuid, w.application_name
    ORDER BY w.workflow_uuid
    """
)
OWN_STEPS = Statement("UPDATE {operation_outputs} SET application_name = 'shop'")


@pytest.fixture
def client(database: Database, alone: DBOSClient) -> DBOSClient:
    """A shop with seven workflows, a queue, a schedule and a version; a bank; and nobody's."""
    with database.writing() as session:
        for number in range(5):
            add_workflow(session, f"done/{number}")
            add_step(session, f"done/{number}", 1, "charge")
            add_step(session, f"done/{number}", 2, "ship")
        add_workflow(session, "waits", "ENQUEUED", queue_name="q")
        add_workflow(session, "runs", "PENDING")
        session.run(OWN_STEPS)
        add_workflow(session, "banks", application_name="bank")
        add_workflow(session, "nobodys", "ENQUEUED", application_name=None)
        insert(
            session,
            "application_versions",
            version_id="1",
            version_name="v1",
            version_timestamp=1,
            created_at=1,
            application_name="shop",
        )
    alone.register_queue("mail", application_name="shop")
    alone.create_schedule(
        schedule_name="nightly",
        workflow_name="tidy",
        schedule="0 3 * * *",
        application_name="shop",
    )
    return alone


@pytest.mark.parametrize("batch_size", [2, 10_000, None])
def test_all_that_an_application_owns_gets_the_new_name(
    database: Database, client: DBOSClient, batch_size: int | None
) -> None:
    counts = client.rename_application("shop", "store", batch_size=batch_size)
    assert counts == {"queues": 1, "schedules": 1, "versions": 1, "workflows": 7, "steps": 10}
    with database.reading() as session:
        owners = {workflow: (own, steps) for workflow, own, steps in session.all(OWNERS)}
    assert owners.pop("banks") == ("bank", None)
    assert owners.pop("nobodys") == (None, None)
    assert set(owners.values()) == {("store", "store"), ("store", None)}
    assert client.rename_application("shop", "store")["workflows"] == 0


async def test_unclaimed_rows_go_along_if_asked(client: DBOSClient) -> None:
    counts = await client.rename_application_async(None, "store", adopt_unclaimed_rows=True)
    assert counts == {"queues": 0, "schedules": 0, "versions": 0, "workflows": 1, "steps": 0}
    again = await client.rename_application_async("store", "shop-2", adopt_unclaimed_rows=True)
    assert again["workflows"] == 1
    (found,) = await client.list_workflows_async(workflow_ids=["nobodys"])
    assert found.application_name == "shop-2"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((None, "store"), "nothing to rename"),
        (("shop", "shop"), "that name already"),
        (("shop", "My Shop!"), "a-z, 0-9"),
        (("shop", ""), "a-z, 0-9"),
    ],
)
def test_what_cannot_be_renamed_is_explained(
    alone: DBOSClient, given: tuple[Any, str], problem: str
) -> None:
    with pytest.raises(DBOSException, match=problem):
        alone.rename_application(*given)


@pytest.mark.parametrize("size", [0, -1, "all"])
def test_a_batch_has_a_size(alone: DBOSClient, size: Any) -> None:
    with pytest.raises(ValueError, match="batch_size"):
        alone.rename_application("shop", "store", batch_size=size)
