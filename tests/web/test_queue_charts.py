"""The charts on the page of a queue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from dboshub.workflows.clock import now_ms
from dboshub.workflows.models import QueueSample, RolledSpan, Rollup, ScopeRule
from tests.web.test_queues import VIEW, add, detail, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client, make_user: Callable[..., Any]) -> Client:
    client.force_login(make_user("viv", *VIEW))
    return client


def test_a_day_of_depth_and_age_is_drawn_from_samples(viewer: Client) -> None:
    add("orders")
    assert "Depth" not in page(viewer, detail("orders") + "?span=24h")
    minute = now_ms() // 60_000 * 60_000 - 3_600_000
    RolledSpan.objects.create(width=60_000, at=minute, covered=1)
    for queue, waiting in (("orders", 7), ("other", 99)):
        QueueSample.objects.create(
            width=60_000, at=minute, queue=queue, waiting=waiting, running=2, oldest_ms=61_000
        )
    shown = page(viewer, detail("orders") + "?span=24h")
    assert "at most 7 waiting, 2 running" in shown
    assert "the oldest had waited 1 min 1 s" in shown
    assert "99 waiting" not in shown
    assert shown.count("not counted") >= 3 * 94
    assert "Utilisation" not in shown


def test_a_day_of_rates_and_utilisation_is_drawn_from_what_was_counted(viewer: Client) -> None:
    add("orders", concurrency=4)
    minute = now_ms() // 60_000 * 60_000 - 3_600_000
    RolledSpan.objects.create(width=60_000, at=minute, covered=1)
    QueueSample.objects.create(width=60_000, at=minute, queue="orders", waiting=0, running=3)
    for queue, name, number in (("orders", "a", 5), ("orders", "b", 2), ("other", "a", 90)):
        Rollup.objects.create(
            width=60_000, at=minute, scope="one", queue=queue, name=name, succeeded=number, failed=1
        )
    shown = page(viewer, detail("orders") + "?span=24h")
    assert "9 workflows ended, as far as counted." in shown
    assert "7 succeeded, 2 failed" in shown
    assert "by=completed&amp;since=" in shown or "by=completed&since=" in shown
    assert "At most 75% of the 4 places there are now." in shown


def test_the_span_of_the_charts_fits_the_age_of_the_queue(viewer: Client) -> None:
    minute = now_ms() // 60_000 * 60_000 - 60_000
    RolledSpan.objects.create(width=60_000, at=minute, covered=1)
    for name, age in (("new", 4), ("newer", 30), ("day", 26 * 60)):
        add(name, created_at=now_ms() - age * 60_000)
    spans = {name: page(viewer, detail(name)) for name in ("new", "newer", "day")}
    assert "Last 15 min" in spans["new"]
    # The charts end with the newest counted minute: nothing is hatched after it.
    assert spans["new"].count("not counted") == 3 * 14
    assert "A bar is a minute" in spans["new"]
    assert "Last 1 h" in spans["newer"]
    assert "Last 24 h" in spans["day"]
    assert 'href="?span=7d#history"' in spans["day"]
    assert "Last 7 d" in page(viewer, detail("new") + "?span=7d")


def test_who_sees_some_applications_sees_no_numbers_of_all(
    client: Client, make_user: Callable[..., Any]
) -> None:
    user = make_user("sam", *VIEW)
    group = Group.objects.create(name="shop")
    ScopeRule.objects.create(group=group, application="shop")
    user.groups.add(group)
    client.force_login(user)
    add("orders")
    minute = now_ms() // 60_000 * 60_000 - 60_000
    RolledSpan.objects.create(width=60_000, at=minute, covered=1)
    for application in ("shop", "bank"):
        Rollup.objects.create(
            width=60_000, at=minute, scope="one", queue="orders", application=application, failed=3
        )
    shown = page(client, detail("orders"))
    assert "3 workflows ended, as far as counted." in shown
    assert "Depth" not in shown
