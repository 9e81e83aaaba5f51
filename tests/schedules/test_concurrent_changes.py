"""A person's change of a schedule and another program's at the same time: neither is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection

from dboshub.schedules import definition_actions
from dboshub.schedules.actions import PERMISSION
from dboshub.schedules.models import Schedule
from dboshub.workflows.actions.audit import ActionRefusedError, Actor
from dboshub.workflows.connection import atomic
from dboshub.workflows.storage.sql import Session, Statement
from tests.support.eventually import eventually
from tests.support.runs import pickled

pytestmark = pytest.mark.django_db(transaction=True)

SET_CONTEXT = Statement(
    "UPDATE {workflow_schedules} SET context = :context WHERE schedule_name = 'nightly'"
)
DELETE = Statement("DELETE FROM {workflow_schedules} WHERE schedule_name = 'nightly'")
WAITING = Statement("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture
def admin(make_user: Callable[..., Any]) -> Actor:
    Schedule.objects.create(
        schedule_id="1",
        schedule_name="nightly",
        workflow_name="report",
        schedule="0 * * * *",
        context=pickled("old"),
        application_name="shop",
    )
    return Actor(make_user("grace", PERMISSION), "10.0.0.7")


@contextmanager
def changing(admin: Actor, refusals: list[ActionRefusedError]) -> Iterator[Session]:
    """Another program's transaction; a person changes the schedule before it commits."""

    def change() -> None:
        try:
            definition_actions.change(admin, "nightly", schedule="30 4 * * *")
        except ActionRefusedError as refusal:
            refusals.append(refusal)
        finally:
            connection.close()

    person = threading.Thread(target=change)
    with atomic() as session:
        yield session
        person.start()
        if session.vendor == "postgresql":
            eventually(lambda: (session.one(WAITING) or (0,))[0])
        person.join(0.2)
        assert person.is_alive()
    person.join(30)
    assert not person.is_alive()


def test_a_change_keeps_the_context_that_an_application_writes_meanwhile(admin: Actor) -> None:
    refusals: list[ActionRefusedError] = []
    with changing(admin, refusals) as session:
        session.run(SET_CONTEXT, context=pickled("new"))
    assert refusals == []
    row = Schedule.objects.get()
    assert (row.schedule, row.context) == ("30 4 * * *", pickled("new"))


def test_a_change_of_a_schedule_deleted_meanwhile_is_refused(admin: Actor) -> None:
    refusals: list[ActionRefusedError] = []
    with changing(admin, refusals) as session:
        session.run(DELETE)
    assert [str(each) for each in refusals] == [
        "There is no schedule 'nightly'. Reload the page: it may have been deleted."
    ]
    assert not Schedule.objects.exists()
