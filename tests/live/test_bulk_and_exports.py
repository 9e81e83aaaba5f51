"""Bulk jobs and exports as their open pages follow them, and what that costs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dboshub.exports import store
from dboshub.exports.live import ExportSource
from dboshub.exports.store import Export
from dboshub.live.topic_sources import SOURCES
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import reading
from dboshub.workflows.live.bulk import INTERVAL_S, JobSource
from dboshub.workflows.live.source import PollTick, Source, WatchedTopic
from dboshub.workflows.live.subscriptions import Subscription, read_token
from dboshub.workflows.models import BulkJob, ScopeRule

pytestmark = pytest.mark.django_db

FOLLOWS = re.compile(r'data-token="([^"]+)" data-digest="([^"]+)"')


@pytest.fixture
def viewer(make_user: Callable[..., User], client: Client) -> User:
    user = make_user("viv", "dboshub_workflows.view_workflow")
    client.force_login(user)
    return user


def add_job(**columns: Any) -> BulkJob:
    given = {"verb": "cancel", "state": "running", "total": 9, "username": "viv"} | columns
    return BulkJob.objects.create(lease_until=now_ms() + 60_000, **given)


def followed(client: Client, viewer: User, address: str) -> tuple[Subscription, str]:
    """What a page follows, and the digest of what it shows."""
    [(token, digest)] = FOLLOWS.findall(client.get(address).content.decode())
    return read_token(token, user=str(viewer.pk)), digest


def poll(source: Source, at: float, *subscriptions: Subscription, **how: Any) -> list[str]:
    given = {"unread": False, "since": 0, "shown": frozenset()} | how
    watched_topics = [
        WatchedTopic(topic=subscription.topic, **given) for subscription in subscriptions
    ]
    with reading() as session:
        found = dict(source.poll(session, watched_topics, PollTick(now_ms=now_ms(), at=at)))
    return [found[watched.topic].digest for watched in watched_topics]


def test_what_a_page_was_rendered_with_rests_until_a_job_moves(
    client: Client, viewer: User
) -> None:
    job = add_job()
    for address in (
        reverse("dboshub:workflows:bulk_list"),
        reverse("dboshub:workflows:bulk", args=[job.pk]),
    ):
        subscription, shown = followed(client, viewer, address)
        make = SOURCES[subscription.topic.kind]
        assert poll(make(), 0, subscription) == [shown]
        BulkJob.objects.filter(pk=job.pk).update(done=job.done + 1)
        job.refresh_from_db()
        assert poll(make(), 0, subscription) != [shown]
        BulkJob.objects.filter(pk=job.pk).update(lease_until=job.lease_until + 5_000)
        assert poll(make(), 0, subscription) == [followed(client, viewer, address)[1]]


def test_all_jobs_that_are_shown_cost_one_statement_and_none_between(
    client: Client, viewer: User
) -> None:
    jobs = [add_job() for _ in range(4)]
    pages = [
        followed(client, viewer, reverse("dboshub:workflows:bulk", args=[job.pk])) for job in jobs
    ]
    subscriptions = [subscription for subscription, _ in pages]
    source = JobSource()

    def cost(at: float, *shown: Subscription, **how: Any) -> int:
        with CaptureQueriesContext(connection) as captured:
            poll(source, at, *shown, **how)
        return sum("dboshub_bulk" in each["sql"] for each in captured.captured_queries)

    assert cost(0) == 0
    assert cost(0, *subscriptions) == 1
    assert cost(INTERVAL_S / 2, *subscriptions) == 0
    # A page that comes and shows what is known already.
    assert (
        cost(INTERVAL_S / 2, *subscriptions[:1], unread=True, shown=frozenset({pages[0][1]})) == 0
    )
    assert cost(INTERVAL_S / 2, *subscriptions[:1], unread=True, shown=frozenset({"newer"})) == 1
    assert cost(2 * INTERVAL_S, *subscriptions) == 1


def test_the_list_is_looked_at_once_for_all_and_seldom(client: Client, viewer: User) -> None:
    add_job()
    subscription, _ = followed(client, viewer, reverse("dboshub:workflows:bulk_list"))
    source = SOURCES["bulk_jobs"]()
    costs = []
    for at in (0, 9, 10):
        with CaptureQueriesContext(connection) as captured:
            poll(source, at, subscription)
        costs.append(sum("dboshub_bulk" in each["sql"] for each in captured.captured_queries))
    assert costs == [1, 0, 1]


def test_who_sees_few_applications_hears_of_their_own_jobs_alone(
    client: Client, viewer: User
) -> None:
    few = Group.objects.create(name="few")
    ScopeRule.objects.create(group=few, application="shop")
    viewer.groups.add(few)
    mine, other = add_job(user=viewer), add_job(username="bo")
    subscription, shown = followed(client, viewer, reverse("dboshub:workflows:bulk_list"))
    BulkJob.objects.filter(pk=other.pk).update(done=5)
    assert poll(SOURCES["bulk_jobs"](), 0, subscription) == [shown]
    BulkJob.objects.filter(pk=mine.pk).update(done=5)
    assert poll(SOURCES["bulk_jobs"](), 0, subscription) != [shown]


def test_a_job_that_is_forgotten_is_news(client: Client, viewer: User) -> None:
    job = add_job(state="frozen")
    subscription, shown = followed(client, viewer, reverse("dboshub:workflows:bulk", args=[job.pk]))
    job.delete()
    assert poll(JobSource(), 0, subscription) != [shown]


def test_an_export_is_followed_without_a_statement(
    client: Client, viewer: User, settings: Any, tmp_path: Path
) -> None:
    settings.DBOSHUB_DATA_DIR = tmp_path
    made = {"made_at": now_ms(), "touched_at": now_ms(), "state": "running", "rows": 10}
    export = Export(key="k", user=str(viewer.pk), of="workflows", query="", format="csv", **made)
    store.add(export)
    subscription, shown = followed(client, viewer, reverse("dboshub:exports:export", args=["k"]))
    source = ExportSource()
    with CaptureQueriesContext(connection) as captured:
        assert poll(source, 0, subscription) == [shown]
        store.update(replace(export, rows=20))
        assert poll(source, 0.5, subscription) == [shown]
        [moved] = poll(source, 1, subscription)
        store.discard("k")
        [gone] = poll(source, 2, subscription)
    assert len({shown, moved, gone}) == 3
    assert not captured.captured_queries
