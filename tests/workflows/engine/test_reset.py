"""Emptying the system database between tests, and enqueueing by names alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dboshub import DBOS, DBOSConfig, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException

INTERNAL = "_dbos_internal_queue"


@DBOS.workflow(name="life_named")
def life_named(value: int, *, times: int = 1) -> int:
    return value * times


@DBOS.workflow()
def life_enqueues() -> int:
    handle = DBOS.enqueue_workflow_with_options(
        {"workflow_name": "life_named", "queue_name": INTERNAL}, 2, times=3
    )
    result: int = handle.get_result()
    return result


@pytest.mark.parametrize("truncate", [False, True])
def test_a_reset_leaves_an_empty_database_that_can_be_launched_on(
    truncate: bool, config: DBOSConfig, launch: Callable[..., None]
) -> None:
    launch()
    assert life_named(1) == 1
    with pytest.raises(AssertionError, match=r"cannot be reset after DBOS"):
        DBOS.reset_system_database(truncate=truncate)
    DBOS.destroy()
    DBOS(config=config)
    DBOS.reset_system_database(truncate=truncate)
    DBOS.launch()
    assert DBOS.list_workflows() == []
    assert life_named(2) == 2


def test_without_a_configuration_or_url_nothing_is_reset(
    config: DBOSConfig, launch: Callable[..., None]
) -> None:
    launch()
    life_named(1)
    DBOS.destroy()
    DBOS.reset_system_database()
    launch()
    assert len(DBOS.list_workflows()) == 1


def test_names_alone_enqueue_and_link_to_the_parent(dbos: type[DBOS]) -> None:
    with SetWorkflowID("p"):
        assert life_enqueues() == 6
    [start, result] = DBOS.list_workflow_steps("p")
    assert (start["function_name"], start["child_workflow_id"]) == ("life_named", "p-1")
    assert result["function_name"] == "DBOS.getResult"
    assert DBOS.get_workflow_status("p-1").parent_workflow_id == "p"


async def test_what_names_nothing_is_refused(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSException):
        await DBOS.enqueue_workflow_with_options_async({"workflow_name": "life_named"}, 1)
    handle = await DBOS.enqueue_workflow_with_options_async(
        {"workflow_name": "life_named", "queue_name": INTERNAL, "workflow_id": "mine"}, 1
    )
    assert handle.workflow_id == "mine"
    assert await handle.get_result() == 1
