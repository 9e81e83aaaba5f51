"""A project served by a real web server."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from tests.support.ports import free_port

GUNICORN = "gunicorn -b 127.0.0.1:{port} --no-control-socket"
# The last word of each is the application.
SERVERS: Mapping[str, str] = {
    "daphne": "daphne -b 127.0.0.1 -p {port} bakery.asgi:application",
    "uvicorn": "uvicorn --host 127.0.0.1 --port {port} bakery.asgi:application",
    "gunicorn": f"{GUNICORN} --threads 2 bakery.wsgi:application",
}
# It loads the application before it forks.
PRELOADED = f"{GUNICORN} --workers 2 --preload bakery.preloaded_wsgi:application"


class Served:
    """One server process; `url` is without a slash at its end."""

    def __init__(self, template: str, *, cwd: Path, environment: Mapping[str, str]) -> None:
        port = free_port()
        command = template.format(port=port).split()
        self.address = f"127.0.0.1:{port}"
        self.url = f"http://{self.address}"
        self.is_wsgi = command[-1].endswith("wsgi:application")
        self.log = cwd / f"{command[0]}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=cwd,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self._wait()

    def client(self) -> httpx.Client:
        """A browser without scripts that follows no redirect by itself."""
        # It reads no certificates, which takes longer than a page does.
        return httpx.Client(base_url=self.url, timeout=30, verify=False)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        with self.client() as client:
            while not self._answers(client):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise AssertionError(f"the server did not start:\n{self.log.read_text()}")
                time.sleep(0.1)

    @staticmethod
    def _answers(client: httpx.Client) -> bool:
        try:
            client.get("/ops/healthz", timeout=5)
        except httpx.TransportError:
            return False
        return True
