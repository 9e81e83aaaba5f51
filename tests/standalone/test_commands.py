"""The command `dboshub`: what it lists, what it does not know, and where its files go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dboshub.standalone.command_line import COMMANDS, unknown
from dboshub.standalone.data_directory import checkout, data_directory
from tests.standalone.foreign import ENDED, FAILED, assert_unchanged, dump
from tests.standalone.process import ROOT, run


def test_alone_it_lists_every_command_with_one_line(tmp_path: Path) -> None:
    listed = run(cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert listed.stdout == run("--help", cwd=tmp_path).stdout
    for name, told in COMMANDS.items():
        assert f"  {name} " in listed.stdout
        assert told in listed.stdout
    assert not any(tmp_path.iterdir())


def test_every_command_has_help_of_its_own(tmp_path: Path) -> None:
    """Each is a command of Django or of ours; asking for help makes nothing."""
    from django.core.management import get_commands, load_command_class

    found = get_commands()
    for name in COMMANDS:
        if name != "version":
            assert load_command_class(found[name], name).help
    given = {"DBOSHUB_DATA_DIR": str(tmp_path / "data")}
    told = run("help", "workflow", cwd=tmp_path, **given)
    assert "usage: dboshub workflow" in told.stdout
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("runworker", "runworkers"), ("worflow", "workflow"), ("create_superuser", "createsuperuser")],
)
def test_the_nearest_command_is_named(typed: str, meant: str) -> None:
    assert unknown(typed).startswith(f"There is no command {typed!r}. Did you mean {meant!r}?")


def test_an_unknown_command_is_one_sentence(tmp_path: Path) -> None:
    done = run("makemigrations", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("There is no command 'makemigrations'. ")
    assert len(done.stderr.splitlines()) == 1


def test_a_settings_module_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    done = run("doctor", "--settings", "no.such.settings", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        "There is no settings module 'no.such.settings' (DJANGO_SETTINGS_MODULE or --settings).\n"
    )


def test_nonsense_in_the_environment_is_one_sentence(tmp_path: Path) -> None:
    done = run("doctor", cwd=tmp_path, DBOSHUB_DEBUG="perhaps")
    assert (done.returncode, done.stderr) == (
        1, "DBOSHUB_DEBUG: 'perhaps' is neither on nor off; write 1 or 0\n"
    )  # fmt: skip


def test_the_data_directory_is_the_checkouts_or_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checkout() == ROOT
    assert data_directory({"HOME": "/home/ada"}) == ROOT / "var"
    assert data_directory({"DBOSHUB_DATA_DIR": "/srv/hub"}) == Path("/srv/hub")
    monkeypatch.setattr("dboshub.standalone.data_directory.PACKAGE_DIR", Path("/usr/lib/dboshub"))
    assert data_directory({"HOME": "/home/ada"}) == Path("/home/ada/.local/share/dboshub")
    assert data_directory({"HOME": "/h", "XDG_DATA_HOME": "/data"}) == Path("/data/dboshub")
    assert data_directory({"HOME": "/h", "XDG_DATA_HOME": "not/absolute"}) == Path(
        "/h/.local/share/dboshub"
    )


def test_the_doctor_finds_a_prepared_hub_well(database_url: str, tmp_path: Path) -> None:
    given = {"DBOS_SYSTEM_DATABASE_URL": database_url, "DBOSHUB_DATA_DIR": str(tmp_path / "data")}
    migrated = run("migrate", cwd=tmp_path, **given)
    assert migrated.returncode == 0, migrated.stderr
    collected = run("dashboard", "--port", "0", cwd=tmp_path, **given)
    assert "--port is '0'" in collected.stderr
    from_variable = run("dashboard", cwd=tmp_path, PORT="70000", **given)
    assert "--port is '70000'" in from_variable.stderr
    by_option = run("dashboard", "--port", "0", cwd=tmp_path, PORT="8001", **given)
    assert "--port is '0'" in by_option.stderr

    before = sorted(tmp_path.rglob("*"))
    done = run("doctor", "--json", cwd=tmp_path, **given)
    found = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    assert found["schema"]["says"] == "version 125"
    assert found["migrations"]["state"] == "ok"
    assert found["hub tables"]["state"] == "ok"
    assert found["notifications"]["state"] == "ok"
    assert found["clock"]["state"] == "ok"
    assert found["executors"]["says"] == "none is alive"
    wrong = [name for name, each in found.items() if each["state"] == "wrong"]
    assert wrong == ["static files"], "they were never collected"
    assert done.returncode == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("foreign_url", ["sqlite", "postgres"], indirect=True)
def test_a_command_uses_another_database(foreign_url: str, tmp_path: Path) -> None:
    """As with the command of dbos; what is kept about it is in a file of the hub's own."""
    data = {"DBOSHUB_DATA_DIR": str(tmp_path / "data")}
    about = ("--sys-db-url", foreign_url)
    before = dump(foreign_url, with_index=False)
    listed = run("workflow", "list", "-s", foreign_url, "--json", cwd=tmp_path, **data)
    assert listed.returncode == 0, listed.stderr
    assert ENDED in {each["workflow_id"] for each in json.loads(listed.stdout)}
    assert_unchanged(before, dump(foreign_url, with_index=False))
    fork = ("workflow", "fork", ENDED, "-S", "1", "-f", "again", "-v", "v9", *about, "--json")
    forked = run(*fork, cwd=tmp_path, **data)
    assert forked.returncode == 0, forked.stderr
    told = json.loads(forked.stdout)
    assert (told["workflow_id"], told["forked_from"], told["app_version"]) == ("again", ENDED, "v9")
    taken = run("workflow", "fork", FAILED, "-f", "again", *about, cwd=tmp_path, **data)
    assert taken.returncode == 1
    assert "exists and is no fork of" in taken.stderr
    for verb in ("queue", "schedule"):
        assert run(verb, "list", *about, cwd=tmp_path, **data).returncode == 0
    nowhere = run("workflow", "list", "-s", "sqlite:///no/such.file", cwd=tmp_path, **data)
    assert nowhere.returncode == 1
    assert len(nowhere.stderr.splitlines()) == 1
