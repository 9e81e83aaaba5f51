"""Shard keys: None is taken everywhere, and any other refused, as no database is sharded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dboshub import DBOS, DBOSClient, EnqueueOptions, SendMessage, SetShardKey, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSException, DBOSInitializationError
from tests.client.conftest import alone, make_client

__all__ = ["alone", "make_client"]


@DBOS.workflow()
def keyed(shard_key: str) -> str:
    return shard_key


@pytest.mark.parametrize(
    "call",
    [
        lambda **key: DBOS.list_workflows(**key),
        lambda **key: DBOS.list_workflow_steps("w", **key),
        lambda **key: DBOS.get_workflow_status("w", **key),
        lambda **key: DBOS.cancel_workflow("w", **key),
        lambda **key: DBOS.get_event("w", "k", 0, **key),
        lambda **key: list(DBOS.read_stream("w", "k", **key)),
        lambda **key: DBOS.send("w", 1, **key),
        lambda **key: DBOS.send_bulk([SendMessage("w", 1, **key)]),
    ],
)
def test_a_key_is_refused_and_none_is_taken(dbos: type[DBOS], call: Callable[..., Any]) -> None:
    with SetWorkflowID("w"):
        DBOS.start_workflow(keyed, "mine").get_result()
    call(shard_key=None)
    with pytest.raises(DBOSException, match="shard_key 's' was given"):
        call(shard_key="s")


def test_arguments_of_the_users_own_may_have_that_name(dbos: type[DBOS]) -> None:
    handle = DBOS.start_workflow(keyed, shard_key="mine")
    assert handle.get_result() == "mine"
    assert handle.shard_key is None
    assert DBOS.shard_key is None


def test_a_block_for_a_key_is_refused_where_it_is_entered(dbos: type[DBOS]) -> None:
    block = SetShardKey("s")
    with pytest.raises(DBOSException, match="not sharded"), block:
        keyed("never")


def test_a_client_refuses_them_too(alone: DBOSClient) -> None:
    options: EnqueueOptions = {"workflow_name": "w", "queue_name": "q", "shard_key": None}
    handle = alone.enqueue(options)
    assert alone.retrieve_workflow(handle.workflow_id, shard_key=None).shard_key is None
    with pytest.raises(DBOSException, match="not sharded"):
        alone.retrieve_workflow(handle.workflow_id, shard_key="s")
    with pytest.raises(DBOSException, match="not sharded"):
        alone.enqueue({**options, "shard_key": "s"})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("queue", ["_dbos_x", "_dbos_"])
def test_a_reserved_queue_that_nobody_serves_is_refused(dbos: type[DBOS], queue: str) -> None:
    with pytest.raises(DBOSException, match="reserved and no executor serves it"):
        DBOS.enqueue_workflow(queue, keyed, "x")
    with pytest.raises(DBOSException, match="reserved and no executor serves it"):
        DBOS.enqueue_workflow_with_options({"workflow_name": "w", "queue_name": queue})


def test_the_internal_queue_may_be_named(dbos: type[DBOS]) -> None:
    assert DBOS.enqueue_workflow("_dbos_internal_queue", keyed, "x").get_result() == "x"


def test_a_configuration_for_a_sharded_database_is_refused(launch: Callable[..., None]) -> None:
    with pytest.raises(DBOSInitializationError, match="sharding"):
        launch(sharding=True)
    launch(sharding=False)
