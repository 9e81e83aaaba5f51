"""A project made by `django-admin startproject`, with code of its own, that embeds DBOSHub."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.embedding.documented import steps
from tests.embedding.serving import SERVERS, Served

ROOT = Path(__file__).resolve().parents[2]
OWN = Path(__file__).parent / "host"
NAME = "bakery"
PASSWORD = "correct horse battery"
ADMIN, VIEWER, STRANGER = "root@bakery.example", "vera@bakery.example", "sam@bakery.example"

PREPARE = f"""
from django.core.management import call_command
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
apps = ["accounts", "queues", "workflows", "schedules", "orders"]
call_command("makemigrations", *apps, verbosity=0)
call_command("migrate", verbosity=0)
call_command("collectstatic", interactive=False, verbosity=0)
members = get_user_model().objects
members.create_superuser({ADMIN!r}, {PASSWORD!r})
viewer = members.create_user({VIEWER!r}, {PASSWORD!r})
viewer.groups.set(Group.objects.filter(name="DBOSHub viewer"))
members.create_user({STRANGER!r}, {PASSWORD!r})
"""


class HostProject:
    """The project, on one database. `folder` is where its manage.py is."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        # Where one server will do, each database has another.
        self.main_server = "gunicorn" if database_url.startswith("postgres") else "uvicorn"
        self.environment = _environment(folder, database_url)
        self._served: dict[str, Served] = {}

    def with_environment(self, **changes: str) -> HostProject:
        """The project on the same database, in processes that have these variables."""
        other = copy.copy(self)
        other.environment = self.environment | changes
        other._served = {}
        return other

    def make(self) -> None:
        """Generate it, write the host's own code, follow docs/embedding.md, and migrate."""
        package = self.folder / NAME
        self._run("-m", "django", "startproject", NAME, str(self.folder), cwd=self.folder.parent)
        shutil.copytree(OWN, self.folder, dirs_exist_ok=True)
        documented = steps()
        for name in ("settings", "urls", "asgi"):
            file, own = package / f"{name}.py", (self.folder / f"{name}.txt").read_text()
            file.write_text(f"{file.read_text()}\n{own}\n{documented[name]}")
        self.prepare()

    def prepare(self) -> None:
        """Migrate the database, and make the people who use it."""
        self.manage("shell", "-v", "0", "-c", PREPARE)

    @property
    def is_on_postgres(self) -> bool:
        return "HOST_POSTGRES" in self.environment

    def manage(self, *command: str, **environment: str) -> str:
        """What `manage.py` prints. Raises AssertionError with its errors if it fails."""
        return self._run("manage.py", *command, cwd=self.folder, **environment)

    def fails(self, *command: str, **environment: str) -> str:
        """The errors that `manage.py` prints. Raises AssertionError if it does not fail."""
        done = self._run_any("manage.py", *command, cwd=self.folder, **environment)
        assert done.returncode != 0, f"{command}: {done.stdout}"
        return done.stderr

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """`manage.py` with these arguments, running; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / f"{command[0]}.log").open("wb"),
        )

    def served_by(self, server: str) -> Served:
        """The project under daphne, uvicorn or gunicorn; each is started once."""
        return self.served_with(SERVERS[server])

    def served_with(self, command: str) -> Served:
        """The project under the server of this command, which is started once."""
        if command not in self._served:
            self._served[command] = Served(command, cwd=self.folder, environment=self.environment)
        return self._served[command]

    def stop(self) -> None:
        for each in self._served.values():
            each.stop()

    def _run(self, *command: str, cwd: Path, **environment: str) -> str:
        done = self._run_any(*command, cwd=cwd, **environment)
        assert done.returncode == 0, f"{command}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def _run_any(
        self, *command: str, cwd: Path, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=cwd,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=100,
        )


def sign_in(client: httpx.Client, email: str) -> None:
    """By the host's login page."""
    token = form_token(client.get("/enter/").text)
    sent = {"username": email, "password": PASSWORD, "csrfmiddlewaretoken": token}
    answer = client.post("/enter/", data=sent)
    assert answer.status_code == 302, answer.text


def form_token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert found, page
    return found[1]


def _environment(folder: Path, database_url: str) -> dict[str, str]:
    """That of a shell in which nobody has set anything of ours; the package is installed."""
    installed = folder.parent / f"{folder.name}-site-packages"
    installed.mkdir()
    (installed / "dboshub").symlink_to(ROOT / "dboshub")
    ours = ("DBOS", "DJANGO")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(ours)}
    environment |= {"PYTHONPATH": str(installed), "PYTHONWARNINGS": "default"}
    if database_url.startswith("postgresql:"):
        environment |= postgres_variable(database_url)
    return environment


def postgres_variable(url: str) -> dict[str, str]:
    """Where settings.txt finds its database."""
    parts = urlsplit(url)
    return {"HOST_POSTGRES": f"{parts.hostname} {parts.port} {parts.path.lstrip('/')}"}
