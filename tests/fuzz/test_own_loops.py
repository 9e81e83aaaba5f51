"""Over rows that hold whatever the database takes, the hub's own work goes on: charts, bulk jobs.

Good rows are counted, good jobs are done, and each loop comes to its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dboshub.background.rollups import new_maintainer
from dboshub.workflows.actions.audit import Actor
from dboshub.workflows.bulk import job_actions
from dboshub.workflows.bulk.verbs import OFFERED
from dboshub.workflows.bulk.worker import ACTIVE, run_round
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import BulkJob, Lease, Rollup
from dboshub.workflows.models.rollups import MINUTE
from tests.fuzz.columns import own_tables, tables
from tests.fuzz.filling import fill
from tests.fuzz.rows import JOB, good, insert
from tests.fuzz.seeds import seeded

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

# More turns than a loop needs for all rows.
MANY = 5_000
WORKFLOWS = ("workflow_status", "workflow_input", "operation_outputs", "queues")
BULK = ("dboshub_bulk", "dboshub_bulk_item", "dboshub_change")
ROLLUPS = ("dboshub_rollup", "dboshub_rolled_span", "dboshub_queue_sample", "dboshub_lease")
VERBS = ("move", "prioritize", "end_delay", "cancel", "resume", "fork_from_failure", "delete")
FUTURE = 2**63 - 1


@pytest.fixture
def actor(make_user: Callable[..., Any]) -> Actor:
    return Actor(make_user("root", is_superuser=True), "")


def filled_with(*names: str) -> None:
    """Hostile rows of these tables alone, and a good workflow of some minutes ago."""
    random, known = seeded(), tables() | own_tables()
    BulkJob.objects.create(pk=JOB, verb="cancel", state="done", username="root")
    with atomic() as session:
        fill(session, random, is_short=True, only=[known[name] for name in names])
        workflow, earlier = known["workflow_status"], now_ms() - 5 * MINUTE
        row = good(workflow, workflow_uuid="earlier", created_at=earlier, status="PENDING")
        assert insert(session, workflow.name, row | {"name": "shipping"})


def test_no_job_stops_another(actor: Actor) -> None:
    filled_with(*BULK)
    assert_jobs_are_done(actor, "name=shipping", "cancel")


@pytest.mark.fuzz
def test_no_row_stops_a_job(actor: Actor) -> None:
    filled_with(*WORKFLOWS, *BULK)
    assert_jobs_are_done(actor, "name=checkout", *VERBS)


def assert_jobs_are_done(actor: Actor, query: str, *verbs: str) -> None:
    BulkJob.objects.exclude(pk=JOB).update(user=actor.user)
    jobs = [job_actions.create_job(actor, verb, query=query) for verb in verbs]
    for job in jobs:
        job_actions.start_job(actor, job.pk)
    assert sum(1 for _ in rounds()) < MANY
    for job in jobs:
        job.refresh_from_db()
    assert [job.state for job in jobs] == ["done"] * len(jobs)
    assert sum(job.done for job in jobs) > 0
    assert_undos_are_done(actor, [job for job in jobs if OFFERED[job.verb].undo])
    left = BulkJob.objects.filter(state__in=ACTIVE, next_at__lte=now_ms())
    assert [*left.values_list("pk", flat=True)] == []


def assert_undos_are_done(actor: Actor, jobs: list[BulkJob]) -> None:
    jobs = [job for job in jobs if job.changes.exists()]
    undoing = [job_actions.create_undo(actor, job.pk) for job in reversed(jobs)]
    assert sum(1 for _ in rounds()) < MANY
    for job in undoing:
        job.refresh_from_db()
        assert job.state == "frozen", job.note
        if job.total:
            job_actions.start_job(actor, job.pk)
    assert sum(1 for _ in rounds()) < MANY
    states = BulkJob.objects.filter(pk__in=[job.pk for job in undoing if job.total])
    assert {*states.values_list("state", flat=True)} <= {"done"}


def rounds() -> Iterator[int]:
    for number in range(MANY):
        if run_round("mine"):
            return
        yield number


def test_no_row_stops_the_counting() -> None:
    filled_with("workflow_status", *ROLLUPS)
    new_maintainer().run_once()
    assert counted("shipping") == 1


@pytest.mark.fuzz
def test_no_row_stops_the_filling_of_gaps() -> None:
    filled_with("workflow_status", *ROLLUPS)
    maintainer, turns = new_maintainer(), 0
    while not maintainer.is_filled:
        maintainer.run_once()
        turns += 1
        assert turns < MANY
    assert counted("shipping") == 1


def counted(name: str) -> int:
    return sum(each.created for each in Rollup.objects.filter(width=MINUTE, name=name))


def test_a_lease_until_the_end_of_time_is_none() -> None:
    Lease.objects.create(name="rollups", owner="gone", until=FUTURE)
    assert new_maintainer().lease.take(now_ms())
