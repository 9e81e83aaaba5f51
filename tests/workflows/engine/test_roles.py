"""On whose behalf workflows run, and who may start which."""

from __future__ import annotations

import pytest

from dboshub import DBOS, DBOSContextEnsure, DBOSContextSetAuth, SetWorkflowID
from dboshub.workflows.engine.errors import DBOSNotAuthorizedError

Seen = tuple[str | None, list[str] | None, str | None]


def seen() -> Seen:
    return DBOS.authenticated_user, DBOS.authenticated_roles, DBOS.assumed_role


@DBOS.workflow()
def roles_open() -> Seen:
    return seen()


@DBOS.required_roles(["admin", "user"])
@DBOS.workflow()
def roles_above() -> tuple[Seen, Seen]:
    return seen(), roles_open()


@DBOS.workflow()
@DBOS.required_roles(["user"])
def roles_below() -> Seen:
    return seen()


@DBOS.workflow()
@DBOS.required_roles(["user"])
async def roles_async() -> Seen:
    return seen()


@DBOS.required_roles(["user"])
@DBOS.step()
def roles_step() -> str | None:
    return DBOS.assumed_role


@DBOS.required_roles(["user"])
@DBOS.step()
async def roles_async_step() -> str | None:
    return DBOS.assumed_role


@DBOS.workflow()
def roles_refused() -> list[str]:
    refused = []
    for call in (roles_step, roles_above):
        try:
            call()
        except DBOSNotAuthorizedError as error:
            refused.append(str(error))
    return refused


@DBOS.workflow()
def roles_switch() -> list[Seen]:
    DBOS.set_authentication("robot", ["user"])
    return [roles_open(), roles_below()]


@DBOS.workflow()
async def roles_awaited() -> str | None:
    return await roles_async_step()


@DBOS.default_required_roles(["user"])
@DBOS.dbos_class()
class RolesOf:
    @staticmethod
    @DBOS.workflow()
    def default() -> str | None:
        return DBOS.assumed_role

    @staticmethod
    @DBOS.required_roles(["admin"])
    @DBOS.workflow()
    def stricter() -> str | None:
        return DBOS.assumed_role

    @staticmethod
    @DBOS.required_roles([])
    @DBOS.workflow()
    def for_all() -> str | None:
        return DBOS.assumed_role

    @staticmethod
    @DBOS.step()
    def default_step() -> str | None:
        return DBOS.assumed_role


def test_user_and_roles_are_recorded_and_go_on_to_children(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"), DBOSContextSetAuth("bob", ["user"]):
        own, of_child = roles_above()
    assert own == of_child == ("bob", ["user"], "user")
    for workflow_id in ("w", "w-1"):
        row = DBOS.get_workflow_status(workflow_id)
        recorded = (row.authenticated_user, row.authenticated_roles, row.assumed_role)
        assert recorded == ("bob", ["user"], "user")
    assert [each.workflow_id for each in DBOS.list_workflows(user="bob")] == ["w", "w-1"]
    assert DBOS.authenticated_user is None
    assert DBOS.authenticated_roles is None


def test_nobody_and_those_without_a_role_call_nothing(dbos: type[DBOS]) -> None:
    for call in (roles_above, roles_below, roles_step):
        with pytest.raises(DBOSNotAuthorizedError, match="without authentication information"):
            call()
        with DBOSContextSetAuth("eve", ["guest"]), pytest.raises(DBOSNotAuthorizedError):
            call()
    assert DBOS.list_workflows() == []


def test_a_refusal_inside_a_workflow_takes_no_step_id(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"):
        assert all("without authentication information" in each for each in roles_refused())
    assert DBOS.list_workflow_steps("w") == []


def test_a_queued_workflow_runs_on_behalf_of_who_enqueued_it(dbos: type[DBOS]) -> None:
    with DBOSContextSetAuth("bob", ["user"]):
        handle = DBOS.enqueue_workflow("_dbos_internal_queue", roles_below)
    assert handle.get_result() == ("bob", ["user"], "user")


def test_a_workflow_can_act_for_somebody_else(dbos: type[DBOS]) -> None:
    with DBOSContextEnsure():
        acted = roles_switch()
    assert acted == [("robot", ["user"], None), ("robot", ["user"], "user")]
    assert DBOS.authenticated_user is None


async def test_coroutines_are_guarded_too(dbos: type[DBOS]) -> None:
    with pytest.raises(DBOSNotAuthorizedError):
        await roles_async()
    with DBOSContextSetAuth("bob", ["user"]):
        assert await roles_async() == ("bob", ["user"], "user")
        assert await roles_awaited() == "user"
    with pytest.raises(DBOSNotAuthorizedError):
        await roles_awaited()


def test_a_class_has_default_roles_and_a_function_its_own(dbos: type[DBOS]) -> None:
    with DBOSContextSetAuth("bob", ["user"]):
        assert RolesOf.default() == "user"
        assert RolesOf.default_step() == "user"
        with pytest.raises(DBOSNotAuthorizedError, match="admin"):
            RolesOf.stricter()
    assert RolesOf.for_all() is None
    with pytest.raises(DBOSNotAuthorizedError):
        RolesOf.default_step()
