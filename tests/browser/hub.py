"""The dashboard as people run it: migrated, with its files collected, served by daphne."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery"


class HubProcess:
    """One database, and a server on it that can be killed and started again on its port."""

    settings = "tests.browser.hub_settings"
    application = "dboshub.standalone.asgi:application"

    def __init__(self, url: str, data: Path) -> None:
        self.database_url = url
        self.log = data / "daphne.log"
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": self.settings,
            "DBOS_SYSTEM_DATABASE_URL": url,
            "DBOSHUB_DATA_DIR": str(data),
            "DBOSHUB_DATABASE_POOL": "0",
            "DBOSHUB_BULK": "1",
        }
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def prepare(self, name: str) -> None:
        """Migrate, collect the static files, and make an administrator."""
        given = {"DBOSHUB_ADMIN_NAME": name, "DBOSHUB_ADMIN_PASSWORD": PASSWORD}
        self._run("-m", "scripts.prepare", **given)

    def add_user(self, name: str, kind: str = "user", group: str = "") -> None:
        """Make somebody who may do what their group may, or a "superuser"."""
        made = (
            f"from django.contrib.auth.models import Group, User; add = User.objects.create_{kind}"
        )
        made += f"; user = add({name!r}, password={PASSWORD!r})"
        made += f"; user.groups.set(Group.objects.filter(name={group!r}))"
        self._run("manage.py", "shell", "--verbosity=0", "-c", made)

    def start(self) -> None:
        command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--websocket_timeout", "-1", self.application],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def kill(self) -> None:
        """End it as a crash does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            assert self.process is not None
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)

    def _run(self, *command: str, **given: str) -> None:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment | given,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
