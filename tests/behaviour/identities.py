"""On whose behalf code runs, who may run what, and how a cancelled call ends."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

from tests.behaviour.cases import DBOS, QUEUE, behaviour, library, raised

BOB = ("bob", ["reader"])
ALICE = ("alice", ["reader", "admin"])


@DBOS.workflow()
def identity_who() -> list[Any]:
    return [DBOS.authenticated_user, DBOS.authenticated_roles, DBOS.assumed_role]


@DBOS.step()
def identity_set_in_step() -> None:
    DBOS.set_authentication(*BOB)


@DBOS.workflow()
def identity_set_inside() -> list[Any]:
    identity_set_in_step()
    after_step = DBOS.authenticated_user
    DBOS.set_authentication(*ALICE)
    return [after_step, DBOS.authenticated_user]


@DBOS.required_roles(["admin"])
@DBOS.workflow()
def identity_admin() -> str | None:
    role: str | None = DBOS.assumed_role
    return role


@DBOS.workflow()
def identity_of_refused_calls() -> list[str]:
    return [raised(identity_admin), raised(identity_admin)]


@DBOS.workflow()
def identity_endless() -> None:
    while True:
        DBOS.sleep(0.02)


@DBOS.workflow()
async def identity_endless_async() -> None:
    while True:
        await DBOS.sleep_async(0.02)


@DBOS.workflow()
def identity_parent_of_endless() -> str:
    with library.SetWorkflowTimeout(0.2):
        return raised(identity_endless)


def row(workflow_id: str) -> list[Any]:
    """Status and recorded identity of a workflow; None for one without a row."""
    found = DBOS.get_workflow_status(workflow_id)
    if found is None:
        return [None]
    return [found.status, found.authenticated_user, found.assumed_role]


def started(how: Any, user: str | None, roles: list[str] | None) -> list[Any]:
    """How a start by this user ends: what awaiting it raises, and its row."""
    with library.DBOSContextSetAuth(user, roles):
        handle = how(identity_admin)
    return [raised(handle.get_result), *row(handle.workflow_id)]


@behaviour(["AssertionError", None, "alice", "alice", None])
def what_a_block_sets_ends_with_it() -> list[Any]:
    outside = raised(DBOS.set_authentication, *ALICE)
    found = [outside, identity_who()[0]]
    with library.DBOSContextEnsure():
        DBOS.set_authentication(*ALICE)
        found += [DBOS.authenticated_user, identity_who()[0]]
    return [*found, identity_who()[0]]


@behaviour(["alice", "bob", "bob"])
def a_block_within_shares_the_identity() -> list[Any]:
    with library.DBOSContextEnsure():
        DBOS.set_authentication(*ALICE)
        with library.DBOSContextEnsure():
            inner = DBOS.authenticated_user
            DBOS.set_authentication(*BOB)
            changed = DBOS.authenticated_user
        return [inner, changed, DBOS.authenticated_user]


@behaviour(["bob", "alice"])
def a_block_with_a_user_restores_the_one_around() -> list[Any]:
    with library.DBOSContextEnsure():
        DBOS.set_authentication(*ALICE)
        with library.DBOSContextSetAuth(*BOB):
            inner = DBOS.authenticated_user
        return [inner, DBOS.authenticated_user]


@behaviour("alice")
def a_copy_of_the_context_shares_the_block() -> Any:
    with library.DBOSContextEnsure():
        contextvars.copy_context().run(DBOS.set_authentication, *ALICE)
        return DBOS.authenticated_user


@behaviour(["task", "thread"])
async def tasks_and_threads_share_the_block() -> list[Any]:
    async def sets() -> None:
        DBOS.set_authentication("task", [])

    with library.DBOSContextEnsure():
        DBOS.set_authentication(*BOB)
        await asyncio.create_task(sets())
        by_task = DBOS.authenticated_user
        await asyncio.to_thread(DBOS.set_authentication, "thread", [])
        return [by_task, DBOS.authenticated_user]


@behaviour([[None, "alice"], "bob"])
def what_a_workflow_or_step_sets_ends_with_it() -> list[Any]:
    alone = identity_set_inside()
    with library.DBOSContextSetAuth(*BOB):
        identity_set_inside()
        return [alone, DBOS.authenticated_user]


@behaviour("DBOSException")
def a_block_is_not_entered_twice_at_once() -> str:
    block = library.DBOSContextSetAuth(*BOB)
    with block:
        return raised(block.__enter__)


@behaviour(["DBOSNotAuthorizedError", [None], "DBOSNotAuthorizedError", [None], "admin"])
def a_direct_call_without_the_role_is_refused() -> list[Any]:
    found: list[Any] = []
    for user, roles in ((None, None), BOB):
        with library.DBOSContextSetAuth(user, roles), library.SetWorkflowID(f"refused-{user}"):
            found += [raised(identity_admin), row(f"refused-{user}")]
    with library.DBOSContextSetAuth(*ALICE):
        return [*found, identity_admin()]


@behaviour(
    [
        ["DBOSNotAuthorizedError", "ERROR", None, None],
        ["DBOSNotAuthorizedError", "ERROR", "bob", None],
        ["nothing", "SUCCESS", "alice", None],
    ]
    * 2
)
def a_start_without_the_role_fails_where_it_runs() -> list[Any]:
    DBOS.register_queue(QUEUE, polling_interval_sec=0.05)
    return [
        started(how, user, roles)
        for how in (DBOS.start_workflow, lambda function: DBOS.enqueue_workflow(QUEUE, function))
        for user, roles in ((None, None), BOB, ALICE)
    ]


@behaviour(["DBOSNotAuthorizedError", "DBOSNotAuthorizedError"])
def a_refused_call_in_a_workflow_takes_no_step() -> list[str]:
    with library.SetWorkflowID("refused calls"):
        found: list[str] = identity_of_refused_calls()
    assert DBOS.list_workflow_steps("refused calls") == []
    return found


@behaviour(
    [
        ["DBOSNotAuthorizedError", "ERROR", None, None],
        ["DBOSNotAuthorizedError", "ERROR", "bob", None],
        ["nothing", "SUCCESS", "alice", None],
    ],
    launched=False,
)
def what_a_client_enqueues_needs_the_role(config: dict[str, Any]) -> list[Any]:
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(QUEUE, polling_interval_sec=0.05)
    client = library.DBOSClient(system_database_url=config["system_database_url"])
    found = []
    for user, roles in ((None, None), BOB, ALICE):
        options = {"queue_name": QUEUE, "workflow_name": identity_admin.__qualname__}
        if user is not None:
            options |= {"authenticated_user": user, "authenticated_roles": roles}
        handle = client.enqueue(options)
        found.append([raised(handle.get_result), *row(handle.workflow_id)])
    client.destroy()
    DBOS.destroy()
    return found


def _cancel_once_it_runs(workflow_id: str) -> None:
    while DBOS.get_workflow_status(workflow_id) is None:
        time.sleep(0.01)
    DBOS.cancel_workflow(workflow_id)


@behaviour(["DBOSAwaitedWorkflowCancelledError"] * 4)
def a_cancelled_call_raises_what_except_exception_catches() -> list[str]:
    with library.SetWorkflowTimeout(0.2):
        timed_out = raised(identity_endless)
    threading.Thread(target=_cancel_once_it_runs, args=("cancelled call",)).start()
    with library.SetWorkflowID("cancelled call"):
        cancelled = raised(identity_endless)

    async def awaits() -> None:
        with library.SetWorkflowTimeout(0.2):
            await identity_endless_async()

    return [timed_out, cancelled, raised(asyncio.run, awaits()), identity_parent_of_endless()]
