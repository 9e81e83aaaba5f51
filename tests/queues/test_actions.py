"""Actions of people on queues: validated like register_queue, audited, effective at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dboshub.queues import actions
from dboshub.queues.engine.settings import QueueSettings, RateLimit
from dboshub.queues.models import Queue, QueuePause
from dboshub.queues.storage.survey import survey
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, NotPermittedError
from dboshub.workflows.connection import reading
from dboshub.workflows.models import AuditEvent, Workflow

pytestmark = pytest.mark.django_db

MAIL = QueueSettings(
    name="mail",
    concurrency=10,
    worker_concurrency=3,
    limiter=RateLimit(50, 1.5),
    polling_interval_sec=0.5,
)
RIGHTS = ("dboshub_queues.add_queue", "dboshub_queues.change_queue", "dboshub_queues.delete_queue")


@pytest.fixture
def admin(make_user: Callable[..., Any]) -> Actor:
    return Actor(make_user("grace", *RIGHTS), "10.0.0.7")


def as_workers_see(name: str) -> Any:
    """The queue in the survey that a running worker makes at each poll."""
    with reading() as session:
        found = {each.queue.name: each for each in survey(session, "shop", "v1")}
    return found.get(name)


def test_a_queue_that_was_added_is_what_workers_see(admin: Actor) -> None:
    actions.add_queue(admin, MAIL, reason="campaign")

    assert as_workers_see("mail").queue == MAIL
    row = Queue.objects.get(name="mail")
    assert (row.priority_enabled, row.partition_queue) == (True, False)
    event = AuditEvent.objects.get()
    assert (event.action, event.target_kind, event.target) == ("add", "queue", "mail")
    assert (event.outcome, event.reason) == ("done", "campaign")
    assert event.detail["now"]["concurrency"] == 10


def test_a_name_that_is_taken_is_not_overwritten(admin: Actor) -> None:
    actions.add_queue(admin, MAIL)

    with pytest.raises(ActionRefusedError, match="already"):
        actions.add_queue(admin, replace(MAIL, concurrency=99))

    assert as_workers_see("mail").queue == MAIL


def test_a_changed_limit_is_effective_and_the_log_holds_both_values(admin: Actor) -> None:
    Queue.objects.create(name="mail", concurrency=1, application_name="shop", updated_at=7)
    changed = QueueSettings(name="mail", partition_concurrency=2)

    actions.change_queue(admin, changed, as_of=7)

    assert as_workers_see("mail").queue == replace(changed, application_name="shop")
    row = Queue.objects.get(name="mail")
    assert row.partition_queue
    assert row.updated_at > 7
    detail = AuditEvent.objects.get().detail
    assert (detail["was"]["concurrency"], detail["now"]["partition_concurrency"]) == (1, 2)


def test_a_change_made_on_old_facts_is_refused(admin: Actor) -> None:
    Queue.objects.create(name="mail", concurrency=1, updated_at=8)

    with pytest.raises(ActionRefusedError, match="Somebody changed this queue"):
        actions.change_queue(admin, MAIL, as_of=7)

    assert Queue.objects.get(name="mail").concurrency == 1
    assert AuditEvent.objects.get().outcome == "refused"


@pytest.mark.parametrize(
    "changes",
    [
        {"concurrency": 0},
        {"worker_concurrency": 0},
        {"worker_concurrency": 11},
        {"limiter": RateLimit(0, 1.0)},
        {"limiter": RateLimit(1, 0.0)},
        {"partition_concurrency": 0},
        {"partition_concurrency": 11},
        {"partition_concurrency": 1, "partition_worker_concurrency": 2},
        {"partition_worker_concurrency": 4},
        {"partition_limiter": RateLimit(-1, 1.0)},
        {"polling_interval_sec": 0.0},
        {"name": "_dbos_internal_queue"},
        {"name": " "},
        {"name": "a\x00b"},
    ],
)
def test_settings_that_no_queue_may_have_are_refused(admin: Actor, changes: dict[str, Any]) -> None:
    with pytest.raises(ActionRefusedError):
        actions.add_queue(admin, replace(MAIL, **changes))

    assert not Queue.objects.exists()
    assert AuditEvent.objects.get().outcome == "refused"


def test_a_queue_on_which_work_waits_is_not_deleted(admin: Actor) -> None:
    Queue.objects.create(name="mail")
    waiting = Workflow.objects.create(workflow_uuid="w", status="ENQUEUED", queue_name="mail")

    with pytest.raises(ActionRefusedError, match="pause this one"):
        actions.delete_queue(admin, "mail")
    waiting.delete()
    actions.delete_queue(admin, "mail", reason="unused")

    assert not Queue.objects.exists()
    assert [each.outcome for each in AuditEvent.objects.order_by("id")] == ["refused", "done"]


def test_a_paused_queue_is_paused_for_workers_until_it_is_resumed(admin: Actor) -> None:
    Queue.objects.create(name="mail")

    actions.pause_queue(admin, "mail", reason="bounces")

    assert as_workers_see("mail").paused
    pause = QueuePause.objects.get()
    assert (pause.paused_by, pause.reason) == ("grace", "bounces")
    with pytest.raises(ActionRefusedError, match="paused already"):
        actions.pause_queue(admin, "mail")

    actions.resume_queue(admin, "mail")

    assert not as_workers_see("mail").paused
    with pytest.raises(ActionRefusedError, match="not paused"):
        actions.resume_queue(admin, "mail")


VERBS: dict[str, Callable[[Actor, str], None]] = {
    "change": lambda actor, name: actions.change_queue(actor, replace(MAIL, name=name)),
    "delete": actions.delete_queue,
    "pause": actions.pause_queue,
    "resume": actions.resume_queue,
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_queue_that_is_not_there_is_refused(admin: Actor, verb: str) -> None:
    with pytest.raises(ActionRefusedError, match="There is no queue"):
        VERBS[verb](admin, "nowhere")

    assert AuditEvent.objects.get().action == verb


@pytest.mark.parametrize("verb", VERBS)
def test_without_the_permission_a_queue_stays_as_it_is(
    make_user: Callable[..., Any], verb: str
) -> None:
    Queue.objects.create(name="mail", concurrency=1)
    viewer = Actor(make_user("eve", "dboshub_queues.view_queue"))

    with pytest.raises(NotPermittedError):
        VERBS[verb](viewer, "mail")
    with pytest.raises(NotPermittedError):
        actions.add_queue(viewer, replace(MAIL, name="more"))

    assert [each.concurrency for each in Queue.objects.all()] == [1]
    assert not QueuePause.objects.exists()
    assert AuditEvent.objects.filter(username="eve", outcome="refused").count() == 2
