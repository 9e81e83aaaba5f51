"""`manage.py check` says what is wrong in a project, by an id, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.checks import CheckMessage
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from psycopg.conninfo import conninfo_to_dict

from dboshub.checks.databases import check_settings, check_system_database
from dboshub.checks.live_databases import check_migrations, check_same_database
from dboshub.checks.pages import check_pages
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.installation_check import check_apps
from tests.embedding.conftest import Entry
from tests.embedding.project import HostProject
from tests.support.postgres import Server

ROOT = Path(__file__).resolve().parents[2]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]


def enter(request: HttpRequest) -> HttpResponse:
    return HttpResponse("who are you?")


class Included:
    urlpatterns = [path("ops/", include("dboshub.urls")), path("enter/", enter, name="enter")]


class IncludedTwice:
    urlpatterns = [
        path("ops/", include("dboshub.urls")),
        path("staff/", include([path("ops/", include("dboshub.urls"))])),
        path("enter/", enter, name="enter"),
    ]


class OfTheHost:
    urlpatterns = [path("tools/", include("dboshub.urls"))]


class IncludedInANamespace:
    urlpatterns = [
        path("ops/", include((OfTheHost, "host"), namespace="staff")),
        path("enter/", enter, name="enter"),
    ]


class WithoutLogin:
    urlpatterns = [path("ops/", include("dboshub.urls"))]


class WithAdmin:
    urlpatterns = [path("ops/", include("dboshub.urls")), path("admin/", admin.site.urls)]


class NotIncluded:
    urlpatterns = [path("enter/", enter, name="enter")]


def ids(found: Iterable[CheckMessage]) -> list[str]:
    messages = [*found]
    assert all(each.hint for each in messages), "every finding says what to do"
    return [str(each.id) for each in messages]


@pytest.fixture
def pages(settings: Any) -> Any:
    """The settings of a project that includes the pages and has nothing wrong."""
    settings.ROOT_URLCONF = Included
    settings.MIDDLEWARE = MIDDLEWARE
    settings.LOGIN_URL = "enter"
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["shop.example"]
    assert ids(check_pages(None)) == []
    return settings


def system(settings: Any, alias: str) -> list[str]:
    settings.DBOS_SYSTEM_DATABASE_ALIAS = alias
    return ids(check_system_database(None))


def test_every_id_is_documented_and_no_other() -> None:
    sources = [*(ROOT / "dboshub/checks").glob("*.py"), ROOT / "workflows/installation_check.py"]
    pattern = re.compile(r'id="(dboshub\.[EW]\d{3})"')
    given = {name for source in sources for name in pattern.findall(source.read_text())}
    page = (ROOT / "docs/embedding.md").read_text(encoding="utf-8")
    assert given == set(re.findall(r"^\| `(dboshub\.[EW]\d{3})` \|", page, re.MULTILINE))
    tested = Path(__file__).read_text(encoding="utf-8")
    assert all(name in tested for name in given)


def test_a_project_that_follows_the_steps_is_fine(host: HostProject) -> None:
    assert "no issues" in host.manage("check")
    assert "no issues" in host.manage("check", "--database", "default")


# This check reads settings alone.
@pytest.mark.parametrize("host", ["sqlite"], indirect=True, scope="session")
@pytest.mark.parametrize(
    "missing", ["dboshub", "dboshub.workflows", "dboshub.queues", "dboshub.schedules"]
)
def test_a_missing_app_is_named(host: HostProject, missing: str) -> None:
    """dboshub.E001, also where the project cannot do anything else."""
    broken = host.folder / "bakery" / "broken.py"
    broken.write_text(f"from bakery.settings import *\nINSTALLED_APPS.remove({missing!r})\n")
    told = host.fails("check", "--settings=bakery.broken")
    assert f"(dboshub.E001) INSTALLED_APPS lacks {missing}, which" in told
    assert "INSTALLED_APPS += dboshub.apps()" in told


def test_apps_of_djangos_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.apps import apps

    installed = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda name: "auth" not in name and installed(name))
    assert ids(check_apps(None)) == ["dboshub.E002"]


@pytest.mark.parametrize("missing", MIDDLEWARE)
def test_missing_middleware_is_named(pages: Any, missing: str) -> None:
    pages.MIDDLEWARE = [each for each in MIDDLEWARE if each != missing]
    [found] = check_pages(None)
    assert (found.id, missing in found.msg) == ("dboshub.E002", True)


def test_pages_that_are_not_included_need_nothing(pages: Any) -> None:
    pages.ROOT_URLCONF, pages.MIDDLEWARE, pages.DEBUG = NotIncluded, [], True
    assert check_pages(None) == []


def test_pages_that_are_included_twice(pages: Any) -> None:
    pages.ROOT_URLCONF = IncludedTwice
    assert ids(check_pages(None)) == ["dboshub.W008"]


def test_pages_in_a_namespace_of_the_project(pages: Any) -> None:
    pages.ROOT_URLCONF = IncludedInANamespace
    (found,) = check_pages(None)
    assert found.id == "dboshub.E014"
    assert "within the namespace 'staff'" in str(found.msg)
    assert "no app_name" in str(found.hint)


def test_a_login_that_is_not_there(pages: Any) -> None:
    pages.LOGIN_URL = "/accounts/login/"
    assert ids(check_pages(None)) == ["dboshub.W009"]
    pages.ROOT_URLCONF = WithoutLogin
    pages.LOGIN_URL = "https://sso.example/"
    assert ids(check_pages(None)) == []
    pages.ROOT_URLCONF = WithAdmin
    pages.LOGIN_URL = "/accounts/login/"
    assert ids(check_pages(None)) == []


def test_debug_where_others_can_reach_it(pages: Any) -> None:
    pages.DEBUG = True
    assert ids(check_pages(None)) == ["dboshub.W006"]
    pages.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    assert ids(check_pages(None)) == []


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, []),
        ({"transaction_mode": "IMMEDIATE", "timeout": 20}, []),
        ({"transaction_mode": "DEFERRED"}, ["dboshub.W003"]),
        ({"transaction_mode": None, "timeout": 1}, ["dboshub.W003", "dboshub.W003"]),
    ],
)
def test_sqlite_transactions(
    entry: Entry, settings: Any, tmp_path: Path, options: dict[str, Any], expected: list[str]
) -> None:
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    settings.DATABASE_ROUTERS = ["dboshub.routers.SystemTables"]
    alias = entry("sqlite3", NAME=tmp_path / "a.sqlite3", OPTIONS=options)
    assert system(settings, alias) == expected


def test_requests_in_transactions_on_sqlite(entry: Entry, settings: Any, tmp_path: Path) -> None:
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    settings.DATABASE_ROUTERS = ["dboshub.routers.SystemTables"]
    alias = entry("sqlite3", NAME=tmp_path / "a.sqlite3", ATOMIC_REQUESTS=True)
    assert system(settings, alias) == ["dboshub.W013"]


@pytest.mark.parametrize(
    ("given", "pooler", "listen", "expected"),
    [
        ({}, False, "", []),
        ({"PORT": "6432"}, False, "", ["dboshub.W005"]),
        ({"DISABLE_SERVER_SIDE_CURSORS": True}, False, "", ["dboshub.W005"]),
        ({"PORT": "6432"}, True, "", ["dboshub.W005"]),
        ({"PORT": "6432"}, True, "postgresql://db:5432/shop", []),
    ],
)
def test_poolers(
    entry: Entry, settings: Any, given: dict[str, Any], pooler: bool, listen: str, expected: Any
) -> None:
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    settings.DBOSHUB_BEHIND_POOLER, settings.DBOSHUB_LISTEN_DSN = pooler, listen
    settings.DATABASE_ROUTERS = ["dboshub.routers.SystemTables"]
    alias = entry(NAME="shop", HOST="db", **given)
    assert system(settings, alias) == expected


def test_a_url_and_an_alias_that_name_two_databases(
    entry: Entry, settings: Any, tmp_path: Path
) -> None:
    settings.DATABASE_ROUTERS = ["dboshub.routers.SystemTables"]
    alias = entry(NAME="shop", HOST="db")
    settings.DBOS_SYSTEM_DATABASE_URL = "postgresql://direct/other"
    assert system(settings, alias) == ["dboshub.E007"]
    settings.DBOS_SYSTEM_DATABASE_URL = f"sqlite:///{tmp_path}/a.sqlite3"
    assert system(settings, alias) == ["dboshub.E007"]
    settings.DBOS_SYSTEM_DATABASE_URL = "postgresql://direct/shop"
    assert system(settings, alias) == []


def test_a_router_that_sends_the_tables_elsewhere(
    entry: Entry, settings: Any, tmp_path: Path
) -> None:
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    settings.DATABASE_ROUTERS = []
    alias = entry("sqlite3", NAME=tmp_path / "a.sqlite3")
    assert system(settings, alias) == ["dboshub.E007"]


def test_databases_that_workflows_cannot_be_in(entry: Entry, settings: Any) -> None:
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    assert system(settings, "nowhere") == ["dboshub.E010"]
    assert system(settings, entry("dummy")) == ["dboshub.E010"]
    assert system(settings, entry("sqlite3", NAME=":memory:")) == ["dboshub.W011"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DBOS_SYSTEM_SCHEMA", "pg_other"),
        ("DBOSHUB_REDACT", "password"),
        ("DBOSHUB_ROLLUPS", "yes"),
        ("DBOSHUB_LOGIN_ATTEMPTS", 0),
        ("DBOS_CONFIG", ["name"]),
        ("DBOSHUB_LISTEN_DSN", 5),
        ("DBOS_APP_NAME", "My Shop"),
    ],
)
def test_settings_that_cannot_be(settings: Any, name: str, value: Any) -> None:
    assert check_settings(None) == []
    setattr(settings, name, value)
    [found] = check_settings(None)
    assert (found.id, found.msg.startswith(f"{name} ")) == ("dboshub.E012", True)


def test_a_variable_that_cannot_be(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del settings.DBOSHUB_BULK
    monkeypatch.setenv("DBOSHUB_BULK", "perhaps")
    [found] = check_settings(None)
    assert found.msg.startswith("DBOSHUB_BULK: 'perhaps' is neither on nor off")


def test_migrations_that_were_not_applied(entry: Entry, settings: Any, tmp_path: Path) -> None:
    """dboshub.E004, only for databases that are asked for; and not before `migrate`."""
    alias = entry("sqlite3", NAME=tmp_path / "a.sqlite3")
    settings.DBOS_SYSTEM_DATABASE_ALIAS = alias
    assert check_migrations(None, databases=None) == []
    assert check_migrations(None, databases=["another"]) == []
    [found] = check_migrations(None, databases=[alias])
    assert (found.id, found.hint) == (
        "dboshub.E004",
        f"Run manage.py migrate --database {alias}",
    )
    assert "dboshub_workflows.0001_initial" in found.msg


def test_migrations_of_a_database_that_is_away(entry: Entry, settings: Any) -> None:
    alias = entry(NAME="shop", HOST="127.0.0.1", PORT="1")
    settings.DBOS_SYSTEM_DATABASE_ALIAS = alias
    [found] = check_migrations(None, databases=[alias])
    assert (found.id, "cannot be read" in found.msg) == ("dboshub.E004", True)


def test_one_database_by_two_ways_is_one(
    entry: Entry, settings: Any, postgres_server: Server
) -> None:
    with postgres_server.fresh_database() as url, postgres_server.fresh_database() as other:
        given = conninfo_to_dict(url)
        alias = settings.DBOS_SYSTEM_DATABASE_ALIAS = entry(
            NAME=given["dbname"], USER=given["user"], HOST=given["host"], PORT=given["port"]
        )
        settings.DBOS_SYSTEM_DATABASE_URL = f"{url_of_alias(alias)}?application_name=direct"
        assert check_same_database(None, databases=[alias]) == []
        settings.DBOS_SYSTEM_DATABASE_URL = other
        assert ids(check_same_database(None, databases=[alias])) == ["dboshub.E007"]
        assert check_same_database(None, databases=None) == []
        settings.DBOS_SYSTEM_DATABASE_URL = "postgresql://127.0.0.1:1/shop"
        assert ids(check_same_database(None, databases=[alias])) == ["dboshub.E007"]
