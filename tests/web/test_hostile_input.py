"""Whatever an address says, every page answers: none is left out, and no parameter of any."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.handlers import wsgi
from django.http import QueryDict
from django.test import Client
from django.urls import reverse

from dboshub.exports.store import Export, add
from dboshub.models import SavedView
from dboshub.queues.models import Queue
from dboshub.schedules.models import Schedule
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.models import BulkJob
from dboshub.workflows.search.terms import KEYS as FILTER
from tests.support.runs import add_step, add_workflow
from tests.web.routes import Route, places, routes, things
from tests.web.workflows.test_detail import add_everything

pytestmark = pytest.mark.django_db

# What a page is asked besides, where it reads some parameters only if it knows another's value.
ALSO = {
    "dboshub:find": ["q=word"],
    "dboshub:workflows:value": ["of=event&key=progress&step=1"],
    "dboshub:workflows:error_group": ["kind=ValueError&step=ship"],
    "dboshub:workflows:stream": ["key=log"],
    "dboshub:workflows:compare": ["a=w", "a=w&b=w2"],
    "dboshub:workflows:compare_step": ["a=w&b=w2&left=1&right=1"],
    "dboshub:exports:new": ["of=workflows", "of=audit"],
    "dboshub:schedules:do": ["start=2026-01-01T00:00&end=2026-01-01T02:00"],
}
HOSTILE = (
    "%00a%00",
    # A lone surrogate, which is no UTF-8, and marks that mean something to a language.
    "%ED%A0%80%ff%27%22%3B--%25_%5C%0D%0A",
    "x" * 5_000,
    "9" * 40,
    "9223372036854775808",
    "-1",
    "",
    # Digits, for some who ask whether these are digits.
    "%D9%A3%C2%B2",
    "2026-02-31T25:61[Mars/Base]",
    "9999-12-31T23:59",
    "0001-01-01",
    "9223372036854775808~%00~b",
)
WORST = HOSTILE[:5]
STRANGE = {
    "int": ["0", "9" * 9, "9223372036854775808", "9" * 40],
    "slug": ["x" * 5_000, "do", "-"],
    "": ["~", "~AA==", "~%%%", "~7aCA", "%ED%A0%80", "%00", "x" * 5_000, "9" * 40, "%27%22"],
}


class Watched(QueryDict):
    """A query string that remembers what was asked of it."""

    asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def getlist(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().getlist(key, default)


@pytest.fixture
def root(client: Client, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """Who may see and do everything, on a hub where there is one thing of each kind."""
    settings.DBOSHUB_DATA_DIR = tmp_path
    user = get_user_model().objects.create_superuser("root", password=None)
    client.force_login(user)
    client.raise_request_exception = False
    add_everything("w", "value", "ERROR")
    with atomic() as session:
        add_workflow(session, "w2", inputs="other")
        add_step(session, "w2", 1, "charge", output="other")
    BulkJob.objects.create(pk=1, verb="cancel", state="done", username="root", started_at=1)
    Queue.objects.create(queue_id="q", name="q")
    Schedule.objects.create(
        schedule_id="s", schedule_name="s", workflow_name="n", schedule="* * * * *", context=""
    )
    SavedView.objects.create(pk=1, owner=user, name="mine", query="status=ERROR")
    made = {"made_at": now_ms(), "touched_at": now_ms()}
    add(Export(key="an_export", user=str(user.pk), of="audit", query="", format="csv", **made))
    monkeypatch.setattr(wsgi, "QueryDict", Watched)
    monkeypatch.setattr(Watched, "asked", set())
    return client


def strange_places(route: Route) -> Iterator[str]:
    """The same with one part after the other as strange as it can be."""
    plain = {name: values[0] for name, values in things(route).items()}
    for kind, name in route.parts:
        for text in STRANGE.get(kind, STRANGE[""]):
            yield route.at({**plain, name: text})


def hostile_queries(client: Client, address: str, base: str) -> Iterator[str]:
    """What to ask a page: each parameter it reads, as found out by asking, in every hostile way."""
    Watched.asked.clear()
    client.get(f"{address}?{base}")
    done: set[str] = set()
    while more := Watched.asked - done:
        done |= more
        for key, value in product(sorted(more), HOSTILE):
            yield f"{base}&{quote(key)}={value}"
    if done & {"q", "filter"}:
        yield from (f"{base}&{each}" for each in hostile_filters())


def hostile_filters() -> Iterator[str]:
    """Every criterion at once, each with another value, so that every pair comes once."""
    for shift in range(len(HOSTILE)):
        values = (HOSTILE[(at + shift) % len(HOSTILE)] for at in range(len(FILTER)))
        yield "&".join(f"{key}={value}" for key, value in zip(FILTER, values, strict=True))


def failures(client: Client, addresses: Iterator[str]) -> list[str]:
    answers = ((each, client.get(each, follow=True)) for each in addresses)
    return [address[:120] for address, answer in answers if answer.status_code >= 500]


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.name)
def test_no_parameter_of_any_page_can_break_it(root: Client, route: Route) -> None:
    for address, base in product(places(route), ALSO.get(route.name, [""])):
        queries = hostile_queries(root, address, base)
        assert failures(root, (f"{address}?{each}" for each in queries)) == []


@pytest.mark.parametrize("route", [each for each in routes() if each.parts], ids=lambda r: r.name)
def test_no_part_of_an_address_can_break_it(root: Client, route: Route) -> None:
    assert failures(root, strange_places(route)) == []


@pytest.mark.parametrize("model", admin.site._registry, ids=lambda model: model.__name__)
def test_no_address_of_the_admin_site_can_break_it(root: Client, model: Any) -> None:
    about = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    asked = (f"{about}?{key}={value}" for key in ("q", model._meta.pk.name) for value in WORST)
    assert failures(root, asked) == []
    # As the admin site writes a NUL.
    parts = [*STRANGE[""], "a_00"]
    assert failures(root, (f"{about}{part}/change/" for part in parts)) == []
