"""A process that others declared dead, and that does not know it: it claims and runs nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dboshub import DBOS
from dboshub.queues.storage.claim import claim
from dboshub.runtime.engine_host import EngineHost
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.errors import DBOSWorkflowConflictIDError
from dboshub.workflows.engine.identity import ANONYMOUS
from dboshub.workflows.engine.membership.incarnations import this_process, token_prefix
from dboshub.workflows.engine.runtime.execution import Execution
from dboshub.workflows.storage.database import Database, open_database
from dboshub.workflows.storage.membership import executors
from dboshub.workflows.storage.membership.executors import Executor
from tests.queues.rows import claim_request, enqueue


@DBOS.workflow(name="dead.incarnation")
def incarnation() -> str:
    return current_engine.engine().incarnation


def test_it_claims_under_its_next_incarnation_alone(
    launch: Callable[..., None], database_url: str
) -> None:
    launch(executor_heartbeat_sec=1, executor_lease_sec=5)
    queue = DBOS.register_queue("dead")
    assert queue.enqueue(incarnation).get_result() == current_engine.engine().incarnation
    first = current_engine.engine().incarnation
    database = open_database(database_url)
    with database.writing() as session:
        assert executors.mark_dead(session, this_process(), by="another") == 1
    database.close()
    handle = queue.enqueue(incarnation)
    assert handle.get_result() not in (first, "")
    [status] = DBOS.list_workflows(workflow_ids=[handle.workflow_id])
    assert status.recovery_attempts == 1


@pytest.mark.parametrize("ended", ["dead", "stopped", "deleted", None])
def test_a_claim_gives_nothing_to_an_ended_incarnation(
    database: Database, ended: str | None
) -> None:
    enqueue(database, count=1)
    me = Executor(
        executor_id="local",
        application_name="shop",
        application_version="v1",
        process=this_process(),
        lease_ms=30_000,
    )
    with database.writing() as session:
        executors.register(session, "mine", me)
        if ended == "dead":
            assert executors.mark_dead(session, me.process, by="another") == 1
        elif ended == "stopped":
            executors.stop(session, "mine")
        elif ended == "deleted":  # as a day after its end
            executors.stop(session, "mine")
            assert executors.delete_ended(session, retention_ms=-60_000) == 1
        found = claim(session, claim_request(["hub:mine:1"]))
    assert len(found) == (0 if ended else 1)


@pytest.fixture
def host(dbos: type[DBOS]) -> EngineHost:
    return EngineHost(current_engine.engine(), lambda: None)


def test_between_its_death_and_its_registration_it_has_no_free_slot(host: EngineHost) -> None:
    before = host.free_slots()
    assert before > 0
    host.on_declared_dead()
    assert host.free_slots() == 0
    host.on_reregistered("0" * 32)
    assert host.free_slots() == before


def test_a_start_under_way_stops_when_it_is_admitted_too_late(host: EngineHost) -> None:
    engine = current_engine.engine()
    started = Execution(
        engine=engine, workflow_id="x", owner=engine.new_token(), name="n", identity=ANONYMOUS
    )
    host.on_declared_dead()
    host.on_reregistered("0" * 32)
    assert engine.new_token().startswith(token_prefix("0" * 32))
    started.raise_if_stopped()
    engine.executions.add(started)
    try:
        with pytest.raises(DBOSWorkflowConflictIDError):
            started.raise_if_stopped()
    finally:
        engine.executions.remove(started)
