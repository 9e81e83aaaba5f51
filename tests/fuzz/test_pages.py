"""Over rows that hold whatever the database takes, no page fails, and good rows are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import reverse

from dboshub.exports import store, writer
from dboshub.live.topic_sources import SOURCES
from dboshub.workflows.connection import atomic
from dboshub.workflows.live.source import PollTick, WatchedTopic
from dboshub.workflows.live.subscriptions import PAYLOAD_KINDS, Topic
from dboshub.workflows.models import BulkJob
from tests.fuzz.columns import table_of
from tests.fuzz.filling import FEWEST_STORED, WHOLE, Filled, fill
from tests.fuzz.seeds import seeded
from tests.web.routes import THERE, routes
from tests.web.workflows.test_detail import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

SORTED = (
    "by=completed",
    "by=started",
    "status=ERROR",
    "status=PENDING,ENQUEUED,DELAYED",
    "status=FLYING",
    "queue=orders",
    "name=check*",
    "application=shop",
    "executor=gone",
    "version=v1",
    "parent=whole",
    "duration=%3E1s",
    "attr.a=1",
    "q=charge",
    "since=1h",
)
# Hostile workflows whose pages are asked for, in the short profile and in the other one. There each
# has some seventy, and another run takes others.
CHOSEN, CHOSEN_OF_ALL = 15, 150
OLDER = re.compile(r'href="(?:/workflows/)?\?([^"]*\bafter=[^"]*)"')


@pytest.fixture
def root(client: Client, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    settings.DBOSHUB_DATA_DIR = tmp_path
    client.force_login(get_user_model().objects.create_superuser("root", password=None))
    client.raise_request_exception = False
    BulkJob.objects.create(pk=1, verb="cancel", state="done", username="root", started_at=1)
    monkeypatch.setattr(writer, "start_writing", lambda export: store.update(writer.write(export)))
    return client


def test_no_row_breaks_a_page(root: Client) -> None:
    random = seeded()
    with atomic() as session:
        filled = fill(session, random, is_short=True)
    assert filled.values > FEWEST_STORED
    assert failures(root, [*pages(), *listings(), *of_admin(filled)]) == []
    ids = filled.ids()
    chosen = random.sample(ids, CHOSEN) + [each for each in ids if "circle" in each[1]]
    known = (reverse_of(name, each) for each, _ in chosen for name in ("detail", "family"))
    assert failures(root, known) == []
    assert unsourced(chosen) == []
    assert unlisted(root, filled) == set()


@pytest.mark.fuzz
@pytest.mark.timeout(1_800)
def test_no_row_breaks_any_page_of_it(root: Client) -> None:
    random = seeded()
    with atomic() as session:
        filled = fill(session, random, is_short=False)
    assert failures(root, [*pages(), *listings(), *of_admin(filled)], fragments=True) == []
    ids = filled.ids()
    odd = [each for each in ids if each[1].startswith("workflow_uuid:") or "circle" in each[1]]
    for workflow_id, what in {*random.sample(ids, CHOSEN_OF_ALL), *odd}:
        assert failures(root, addresses(workflow_id)) == [], what
    assert unsourced(ids) == []
    assert unlisted(root, filled) == set()


def failures(client: Client, asked: Iterable[str], *, fragments: bool = False) -> list[str]:
    """The addresses that are answered with an error of the server."""
    forms: list[dict[str, str]] = [{}, {"HX-Request": "true"}] if fragments else [{}]
    return [
        f"{address[:200]} {headers}"
        for address, headers in product(asked, forms)
        if not is_answered(client, address, headers)
    ]


def is_answered(client: Client, address: str, headers: dict[str, str]) -> bool:
    with transaction.atomic():
        answer = client.get(address, headers=headers, follow=True)
        if answer.streaming:
            b"".join(answer.streaming_content)  # type: ignore[arg-type]
        if answer.status_code >= 500:
            transaction.set_rollback(True)
    return answer.status_code < 500


def reverse_of(name: str, workflow_id: str) -> str:
    return reverse(f"dboshub:workflows:{name}", args=[workflow_id])


def pages() -> Iterator[str]:
    """Every route, of what is hostile as a whole or good."""
    known = {"workflow_id": [WHOLE], "target": ["gone"], "name": ["checkout", "orders"]}
    for route in routes():
        names = [name for _, name in route.parts]
        there = [
            known.get(each) or THERE.get(each) or THERE[f"{route.name} {each}"] for each in names
        ]
        for found in product(*there):
            yield reverse(route.name, kwargs=dict(zip(names, found, strict=True)))
    yield from addresses(WHOLE)


# The pages of lists, with what each of them takes.
LISTINGS = {
    "/workflows/": SORTED,
    "/workflows/errors/": ("since=30d", "q=a", "status=ERROR", "by=started"),
    "/schedules/": ("status=ACTIVE", "status=PAUSED"),
    f"/workflows/steps/{WHOLE}": ("find=a", "failed=1", "from=-5"),
}


def listings() -> Iterator[str]:
    for path, queries in LISTINGS.items():
        yield from (f"{path}?{each}" for each in queries)


def of_admin(filled: Filled) -> Iterator[str]:
    for model in admin.site._registry:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield reverse(f"{name}_changelist")
        for key in filled.good.get(table_of(model), [])[:1]:
            yield reverse(f"{name}_change", args=[key])


def unsourced(ids: Iterable[tuple[str, str]]) -> list[str]:
    """The live topics whose source fails, or cannot render what it read."""
    tick = PollTick(now_ms=2**41, at=1.0)
    keys = [WHOLE, *(each for each, _ in ids)]
    failed = []
    for kind, made in SOURCES.items():
        topics = [
            Topic(kind=kind, key=key, payload=kind in PAYLOAD_KINDS) for key in keys_of(kind, keys)
        ]
        watched = [
            WatchedTopic(topic=each, unread=True, since=0, shown=frozenset()) for each in topics
        ]
        with atomic() as session:
            try:
                for _, state in made().poll(session, watched, tick):
                    state.body("")
            except Exception as error:
                failed.append(f"{kind}: {error!r}")
                transaction.set_rollback(True)
    return failed


def keys_of(kind: str, ids: list[str]) -> list[str]:
    if kind in ("row", "workflow", "steps", "events", "messages", "stream"):
        return ids
    return {"queue": ["orders"], "schedule": ["s1"], "list": ["1"], "bulk": ["1"]}.get(kind, [""])


def unlisted(client: Client, filled: Filled) -> set[str]:
    """The good workflows that nobody meets who turns the pages of the list."""
    missing = {WHOLE, *filled.good["workflow_status"]}
    query = "name=checkout"
    for _ in range(len(filled.ids())):
        html = client.get(f"/workflows/?{query}").content.decode()
        missing -= {each for each in missing if reverse_of("detail", each) in html}
        found = OLDER.search(html)
        if not missing or found is None:
            break
        query = unescape(found[1])
    return missing
