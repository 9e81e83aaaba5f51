"""Bulk jobs from a terminal: shown, confirmed, worked off, undone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError

from dboshub.workflows.connection import atomic
from dboshub.workflows.models import ApplicationVersion, AuditEvent, BulkJob, Workflow
from tests.management.test_terminal import answer, told
from tests.support.runs import add_workflow, insert

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def letters() -> None:
    with atomic() as session:
        insert(session, "queues", queue_id="q", name="mail")
        for number in range(4):
            add_workflow(session, f"letter-{number}", "ENQUEUED", name="letter", queue_name="mail")


def bulk(verb: str, *words: str) -> Any:
    return answer("workflow", "bulk", verb, "--filter", "name:letter", "--yes", *words)


def queues() -> set[tuple[str, str | None]]:
    return {*Workflow.objects.values_list("status", "queue_name")}


def test_what_is_cancelled_is_undone_and_both_are_listed_and_audited() -> None:
    job = bulk("cancel", "--reason", "wrong letters")
    assert (job["state"], job["done"], job["reason"]) == ("done", 4, "wrong letters")
    assert queues() == {("CANCELLED", None)}
    events = AuditEvent.objects.filter(action="cancel", outcome="done")
    [name] = {*events.values_list("username", flat=True)}
    assert (events.count(), name.endswith("(manage.py)")) == (4, True)

    undone = answer("workflow", "undo", str(job["job"]), "--yes")
    assert (undone["done"], undone["undoes"]) == (4, job["job"])
    assert undone["plan"] == "4 back onto mail"
    assert queues() == {("ENQUEUED", "mail")}
    assert [each["verb"] for each in answer("workflow", "jobs")] == ["undo_cancel", "cancel"]
    assert "wrong letters" in told("workflow", "jobs")


def test_a_dry_run_says_what_would_be_done_and_leaves_nothing() -> None:
    shown = bulk("prioritize", "--priority", "2", "--dry-run")
    assert (shown["state"], shown["workflows"], shown["plan"]) == (
        "discarded",
        4,
        "4 with priority 0",
    )
    assert not BulkJob.objects.exists()
    assert {*Workflow.objects.values_list("priority", flat=True)} == {0}


def test_nothing_is_done_unless_it_is_confirmed() -> None:
    with pytest.raises(CommandError, match=r"Cancel: 4 workflows\. Confirm it with --yes"):
        told("workflow", "bulk", "cancel", "--all")
    assert queues() == {("ENQUEUED", "mail")}
    assert not BulkJob.objects.exists()


def test_each_verb_takes_what_it_needs() -> None:
    given = {"version_timestamp": 1, "created_at": 1}
    ApplicationVersion.objects.create(version_id="v2", version_name="v2", **given)
    assert bulk("move", "--to-version", "v2")["done"] == 4
    assert bulk("prioritize", "--priority", "3", "--rate", "600/m")["done"] == 4
    assert bulk("delay", "--delay", "60")["done"] == 4
    found = {*Workflow.objects.values_list("status", "application_version", "priority")}
    assert found == {("DELAYED", "v2", 3)}
    assert bulk("end_delay")["done"] == 4
    assert bulk("cancel")["done"] == 4
    assert bulk("resume")["done"] == 4
    assert queues() == {("ENQUEUED", "mail")}
    assert bulk("resume", "--at-once")["done"] == 4
    assert queues() == {("ENQUEUED", "_dbos_internal_queue")}
    one = answer("workflow", "bulk", "cancel", "letter-1", "--yes")
    assert (one["workflows"], one["done"]) == (1, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cancel",), "Give ids, or --filter"),
        (("cancel", "letter-1", "--all"), "Give ids, or --filter"),
        (("cancel", "--filter", "letter"), "'letter' is no criterion"),
        (("cancel", "--filter", "colour:red"), "There is no key 'colour'"),
        (("cancel", "--filter", "status:"), "has no value"),
        (("prioritize", "--all"), "Priority: "),
        (("delay", "--all", "--delay", "-1"), "For: "),
        (("move", "--all", "--to-version", "absent"), "To the version: "),
        (("resume", "--all", "--queue", "absent"), "Onto the queue: "),
        (("cancel", "--all", "--rate", "0"), "At most: "),
    ],
)
def test_what_cannot_be_meant_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        told("workflow", "bulk", *words, "--yes")
    assert queues() == {("ENQUEUED", "mail")}
    assert not BulkJob.objects.exists()


def test_an_interrupt_stops_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    from dboshub.workflows.bulk import worker

    monkeypatch.setattr("dboshub.workflows.bulk.chunks.MAX_CHUNK", 1)
    step, seen = worker._step, []

    def interrupted(job_id: int, state: str, owner: str) -> bool:
        seen.append(state)
        if seen.count("running") == 3:
            raise KeyboardInterrupt
        return step(job_id, state, owner)

    monkeypatch.setattr(worker, "_step", interrupted)
    with pytest.raises(CommandError, match="is stopped; it can go on, or be undone"):
        bulk("cancel")
    job = BulkJob.objects.get()
    assert (job.state, job.done) == ("stopped", 2)
    monkeypatch.setattr(worker, "_step", step)
    assert json.loads(told("workflow", "undo", str(job.pk), "--yes", "--json"))["done"] == 2


def test_a_job_that_is_not_there_cannot_be_undone() -> None:
    with pytest.raises(CommandError, match="no such bulk job"):
        told("workflow", "undo", "7", "--yes")
