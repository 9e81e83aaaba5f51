"""What code can know of where it runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from dboshub import DBOS, DBOSContextSetAuth, SetWorkflowID


@DBOS.step(retries_allowed=True)
def look() -> dict[str, Any]:
    return asdict(DBOS.get_context())


@DBOS.workflow()
def looks_around() -> list[dict[str, Any]]:
    return [asdict(DBOS.get_context()), look()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_context_names_workflow_step_and_user(dbos: type[DBOS]) -> None:
    with SetWorkflowID("w"), DBOSContextSetAuth("ann", ["clerk"]):
        body, step = looks_around()
    who = {"authenticated_user": "ann", "authenticated_roles": ["clerk"], "assumed_role": None}
    assert body == {"workflow_id": "w", "step_id": None, "step_status": None, **who}
    status = {"step_id": 1, "current_attempt": 0, "max_attempts": 3}
    assert step == {"workflow_id": "w", "step_id": 1, "step_status": status, **who}


def test_outside_a_workflow_the_context_is_empty() -> None:
    assert {*asdict(DBOS.get_context()).values()} == {None}
