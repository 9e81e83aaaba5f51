"""The engine reaches the database that Django knows, whatever its entry in DATABASES says."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from dboshub.workflows import django_settings
from dboshub.workflows.django_database_url import url_of_alias
from dboshub.workflows.storage.database import is_url_of, open_database
from dboshub.workflows.storage.database_urls import libpq_url
from tests.embedding.conftest import Entry
from tests.support.postgres import Server

ODD = "p@ss:w/o?r#d% &=+é'\\"


def libpq(alias: str) -> dict[str, Any]:
    return conninfo_to_dict(libpq_url(url_of_alias(alias)))


def test_host_port_and_name(entry: Entry) -> None:
    alias = entry(NAME="shop", USER="me", PASSWORD="it", HOST="db.example", PORT=6543)
    assert url_of_alias(alias) == "postgresql://me:it@db.example:6543/shop"


@pytest.mark.parametrize("host", ["db.example", "", "/var/run/postgresql", "::1", "a,b"])
def test_odd_names_and_passwords_arrive_whole(entry: Entry, host: str) -> None:
    alias = entry(NAME="my/db ?#", USER="me@home", PASSWORD=ODD, HOST=host)
    found = libpq(alias)
    assert found.pop("host", "") == host
    assert found == {"dbname": "my/db ?#", "user": "me@home", "password": ODD}


def test_options_go_along_except_those_that_are_djangos(entry: Entry) -> None:
    alias = entry(
        NAME="shop",
        HOST="/run/pg",
        PORT="5433",
        OPTIONS={
            "sslmode": "require",
            "options": "-c search_path=app,public",
            "application_name": "the shop",
            "connect_timeout": 3,
            "pool": {"max_size": 4},
            "server_side_binding": True,
            "prepare_threshold": 7,
            "isolation_level": psycopg.IsolationLevel.SERIALIZABLE,
        },
    )
    assert libpq(alias) == {
        "dbname": "shop",
        "host": "/run/pg",
        "port": "5433",
        "sslmode": "require",
        "options": "-c search_path=app,public",
        "application_name": "the shop",
        "connect_timeout": "3",
    }


def test_several_hosts_stay_several(entry: Entry) -> None:
    found = libpq(entry(NAME="shop", HOST="a,b", PORT="1,2"))
    assert (found["host"], found["port"]) == ("a,b", "1,2")


def test_a_service_may_name_the_database(entry: Entry) -> None:
    assert libpq(entry(NAME="", OPTIONS={"service": "shop"})) == {"service": "shop"}


def test_a_role_that_django_assumes_is_assumed(entry: Entry, postgres_server: Server) -> None:
    with postgres_server.fresh_database() as url:
        given = conninfo_to_dict(url)
        alias = entry(
            NAME=given["dbname"],
            USER=given["user"],
            HOST=given["host"],
            PORT=given["port"],
            OPTIONS={"assume_role": "pg_monitor", "options": "-c geqo=off"},
        )
        with psycopg.connect(url_of_alias(alias)) as connection:
            row = connection.execute("SELECT current_user, current_setting('geqo')").fetchone()
    assert row == ("pg_monitor", "off")


def test_the_engine_sees_the_database_of_the_alias(entry: Entry, postgres_server: Server) -> None:
    with postgres_server.fresh_database() as url:
        given = conninfo_to_dict(url)
        alias = entry(
            NAME=given["dbname"], USER=given["user"], HOST=given["host"], PORT=given["port"]
        )
        database = open_database(url_of_alias(alias))
        try:
            assert is_url_of(url, database)
            with database.reading() as session, connections[alias].cursor() as cursor:
                cursor.execute("SELECT current_database(), inet_server_port()")
                theirs = cursor.fetchone()
                connection = session._execute("SELECT current_database(), inet_server_port()", {})
                assert connection.fetchone() == theirs
        finally:
            database.close()


@pytest.mark.parametrize("name", ["plain.sqlite3", "odd name?#%41.sqlite3"])
def test_a_sqlite_file_of_any_name(entry: Entry, tmp_path: Path, name: str) -> None:
    alias = entry("sqlite3", NAME=tmp_path / name)
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE here (x)")
    database = open_database(url_of_alias(alias))
    try:
        with database.reading() as session:
            assert session._execute("SELECT name FROM sqlite_master", {}).fetchall() == [("here",)]
    finally:
        database.close()
    assert [each.name.partition("-")[0] for each in tmp_path.iterdir()] == [name]


def test_a_sqlite_file_given_as_a_uri(entry: Entry, tmp_path: Path) -> None:
    file = tmp_path / "shop.sqlite3"
    sqlite3.connect(file).close()
    alias = entry("sqlite3", NAME=f"file:{file}?mode=rw", OPTIONS={"uri": True})
    assert url_of_alias(alias) == f"sqlite:///{file}"


@pytest.mark.parametrize("name", [":memory:", "file:x?mode=memory&cache=shared"])
def test_sqlite_in_memory_is_refused(entry: Entry, name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="in memory"):
        url_of_alias(entry("sqlite3", NAME=name))


def test_an_alias_that_is_none_is_said_to_be_so(settings: Any) -> None:
    settings.DBOS_SYSTEM_DATABASE_ALIAS = "nowhere"
    settings.DBOS_SYSTEM_DATABASE_URL = None
    with pytest.raises(ImproperlyConfigured, match="'nowhere', but DATABASES has no such entry"):
        django_settings.system_database_url()


def test_the_url_is_that_of_the_alias_unless_one_is_given(
    entry: Entry, settings: Any, tmp_path: Path
) -> None:
    settings.DBOS_SYSTEM_DATABASE_ALIAS = entry("sqlite3", NAME=tmp_path / "a.sqlite3")
    settings.DBOS_SYSTEM_DATABASE_URL = ""
    assert django_settings.system_database_url() == f"sqlite:///{tmp_path}/a.sqlite3"
    settings.DBOS_SYSTEM_DATABASE_URL = "postgresql://db/shop"
    assert django_settings.system_database_url() == "postgresql://db/shop"


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("mysite.settings", "mysite"),
        ("My_Site.settings.production", "my_site"),
        ("ab.settings", "ab-app"),
        ("größe.settings", "gr-e"),
        ("ß.settings", "dboshub"),
        ("", "dboshub"),
    ],
)
def test_the_application_is_called_after_the_project(
    settings: Any, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    monkeypatch.delenv("DBOS_APP_NAME", raising=False)
    settings.DBOS_CONFIG, settings.DBOS_APP_NAME = {}, ""
    settings.SETTINGS_MODULE = module
    assert django_settings.application_name() == name
    monkeypatch.setenv("DBOS_APP_NAME", "from-environment")
    assert django_settings.application_name() == "from-environment"
    settings.DBOS_APP_NAME = "set"
    assert django_settings.application_name() == "set"
    settings.DBOS_CONFIG = {"name": "configured"}
    assert django_settings.application_name() == "configured"
