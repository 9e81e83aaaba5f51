"""Times are written in the zone of who looks, and by nobody's when many look at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from dboshub.exports import store, writer
from dboshub.exports.store import Export
from dboshub.models import Preference
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.rendering import time_format
from dboshub.workflows.rendering.sections import section
from dboshub.workflows.rendering.time_zone import (
    current_zone,
    project_zone,
    shown_in,
    zone_name,
    zone_names,
    zone_of_name,
)
from tests.support.runs import add_workflow

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
WINTER, SUMMER = 1_767_225_600_120, 1_783_000_000_000
PAGES = ("/", "/workflows/", "/workflows/run/w", "/workflows/steps/w", "/queues/", "/schedules/")


@pytest.fixture
def people(make_user: Callable[..., Any]) -> Iterator[dict[str, Client]]:
    """Three who may look; two have a zone of their own."""
    found = {}
    for name, zone in (("tomo", "Asia/Tokyo"), ("bert", "Europe/Berlin"), ("una", "")):
        looking = [f"dboshub_{each}" for each in ("queues.view_queue", "schedules.view_schedule")]
        user = make_user(name, "dboshub_workflows.view_workflow", *looking)
        if zone:
            Preference.objects.create(user=user, time_zone=zone)
        found[name] = Client()
        found[name].force_login(user)
    with atomic() as session:
        add_workflow(session, "w", created_at=WINTER, completed_at=WINTER + 1)
    return found


def page(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200, path
    return response.content.decode()


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        (UTC, "2026-01-01 00:00:00.120 UTC"),
        (TOKYO, "2026-01-01 09:00:00.120 +09:00 Asia/Tokyo"),
        (BERLIN, "2026-01-01 01:00:00.120 +01:00 Europe/Berlin"),
        (ZoneInfo("Europe/London"), "2026-01-01 00:00:00.120 +00:00 Europe/London"),
    ],
    ids=str,
)
def test_a_time_is_written_in_full_with_its_zone(zone: Any, text: str) -> None:
    with shown_in(lambda: zone):
        assert time_format.absolute(WINTER) == text


def test_clocks_dates_and_exports_are_in_the_zone_with_its_summer_time() -> None:
    with shown_in(lambda: BERLIN):
        assert (
            time_format.clock(SUMMER, SUMMER)
            == f"{datetime.fromtimestamp(SUMMER / 1e3, BERLIN):%T}"
        )
        assert time_format.minute(SUMMER).endswith(
            f"{datetime.fromtimestamp(SUMMER / 1e3, BERLIN):%R}"
        )
        assert time_format.iso_local(SUMMER).endswith("+02:00")
        assert time_format.iso(SUMMER).endswith("Z")
        # Today and yesterday meet at midnight in Berlin.
        assert time_format.clock(WINTER - 3_600_121, WINTER) == "31 Dec 2025 23:59"
        assert time_format.absolute(time_format.MAX_MS).startswith("9999-12-31")
    assert time_format.iso_local(SUMMER).endswith("Z")


def test_the_zone_is_asked_for_once_and_only_if_a_time_is_written() -> None:
    asked = []

    def zone() -> ZoneInfo:
        asked.append(1)
        return TOKYO

    with shown_in(zone):
        assert asked == []
        assert [zone_name(), zone_name()] == ["Asia/Tokyo"] * 2
    assert (len(asked), zone_name(current_zone())) == (1, "UTC")


@pytest.mark.parametrize("setting", [None, "", "Mars/Olympus"])
def test_without_a_zone_of_the_project_times_are_utc(settings: Any, setting: Any) -> None:
    settings.TIME_ZONE = setting
    assert zone_name(project_zone()) == "UTC"


@pytest.mark.django_db
def test_each_page_is_in_the_zone_of_its_reader(people: dict[str, Client], settings: Any) -> None:
    for name, zone in (("tomo", "Asia/Tokyo"), ("bert", "Europe/Berlin"), ("una", "UTC")):
        for path in PAGES:
            shown = page(people[name], path)
            assert f'data-zone="{zone}"' in shown, path
            assert f"Times are in {zone}." in shown, path
            others = {"Asia/Tokyo", "Europe/Berlin"} - {zone}
            assert not [each for each in others if each in shown], path
        run = page(people[name], "/workflows/run/w")
        with shown_in(lambda: zone_of_name(zone) or UTC):  # noqa: B023
            assert f'title="{time_format.absolute(WINTER)}"' in run
            assert f'<span class="clock">{time_format.clock(WINTER, now_ms())}</span>' in run
        assert f"<span data-zone-name>{zone}</span>" in run
    settings.TIME_ZONE = "America/Lima"
    assert 'data-zone="America/Lima"' in page(people["una"], "/workflows/")


@pytest.mark.django_db
def test_what_is_rendered_once_for_many_is_in_no_one_s_zone(people: dict[str, Client]) -> None:
    page(people["tomo"], "/workflows/run/w")
    with atomic() as session:
        pushed = section("workflow", session, "w", payload=False)
    assert "Tokyo" not in pushed
    assert f'title="{time_format.absolute(WINTER)}"' in pushed
    # The script finds each time by what machines read.
    clocks = re.findall(r'<time class="(when|moment)" datetime="([^"]+)"', pushed)
    assert {each for _, each in clocks} == {time_format.iso(at) for at in (WINTER, WINTER + 1)}


@pytest.mark.django_db
def test_somebody_chooses_a_zone_on_a_page_and_in_the_menu(people: dict[str, Client]) -> None:
    una = people["una"]
    form = page(una, "/preferences/")
    assert form.count("<option") == len(zone_names()) + 1
    assert '<option value="" selected>UTC (the project&#x27;s)</option>' in form
    answer = una.post(
        "/preferences/",
        {"time_zone": "Asia/Tokyo"},
        headers={"Referer": "http://testserver/workflows/?name=x"},
    )
    assert answer["Location"] == "/workflows/?name=x"
    shown = page(una, "/workflows/")
    assert "Times are written in Asia/Tokyo." in shown
    assert '<button name="time_zone" value="Asia/Tokyo" aria-pressed="true">' in shown
    assert '<option value="Asia/Tokyo" selected>' in page(una, "/preferences/")
    una.post("/preferences/", {"time_zone": ""})
    assert 'data-zone="UTC"' in page(una, "/workflows/")
    assert 'data-zone="Europe/Berlin"' in page(people["bert"], "/workflows/")


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "localtime", "x" * 500])
def test_what_is_no_zone_is_refused(people: dict[str, Client], zone: str) -> None:
    answer = people["una"].post("/preferences/", {"time_zone": zone})
    assert answer.status_code == 400
    assert b"no time zone of this name" in answer.content
    assert not Preference.objects.filter(user__username="una").exists()


@pytest.mark.django_db
def test_a_zone_that_this_machine_lost_is_the_project_s(people: dict[str, Client]) -> None:
    Preference.objects.filter(user__username="tomo").update(time_zone="Gone/Away")
    assert 'data-zone="UTC"' in page(people["tomo"], "/workflows/")


@pytest.mark.django_db
def test_lists_of_the_admin_site_are_in_the_zone_of_who_looks(people: dict[str, Client]) -> None:
    get_user_model().objects.update(is_staff=True)
    for name, zone in (("tomo", TOKYO), ("una", UTC)):
        with shown_in(lambda: zone):  # noqa: B023
            at = time_format.absolute(WINTER)
        assert at in page(people[name], "/admin/dboshub_workflows/workflow/"), name


@pytest.mark.django_db
def test_an_export_is_in_the_zone_of_who_made_it(people: dict[str, Client]) -> None:
    for name, at in (
        ("tomo", "2026-01-01T09:00:00.120+09:00"),
        ("una", "2026-01-01T00:00:00.120Z"),
    ):
        user = get_user_model().objects.get(username=name)
        export = Export(
            key=f"zone-{name}",
            user=str(user.pk),
            of="workflows",
            format="csv",
            query="name=checkout",
            made_at=now_ms(),
        )
        store.add(export)
        store.update(writer.write(export))
        assert at in store.data_path(export.key).read_text(), name
