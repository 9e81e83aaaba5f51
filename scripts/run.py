"""Run DBOSHub on this machine: prepare the database, then a web server and a worker.

Both are children of this process. One that crashes is started again; one Ctrl-C stops both, a
second one at once. Standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
GRACE_S = 40.0
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
PR_SET_PDEATHSIG = 1


def say(sentence: str) -> None:
    print(f"▸ {sentence}", flush=True)


@dataclass
class Child:
    """One program kept running: started again after a pause that grows while it keeps crashing."""

    name: str
    command: list[str]
    pause_s: float = 1.0
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    not_before: float = field(default=0.0)

    def check(self, now: float) -> None:
        if self.process is None:
            if now >= self.not_before:
                self._start(now)
        elif (code := self.process.poll()) is not None:
            self.process = None
            self.pause_s = 1.0 if now - self.started_at > HEALTHY_AFTER_S else self.pause_s
            self.not_before = now + self.pause_s
            say(f"The {self.name} ended ({_reason(code)}); again in {self.pause_s:.0f} s.")
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)

    def signal(self, number: int) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)

    def _start(self, now: float) -> None:
        self.started_at = now
        # A session of its own keeps the terminal's Ctrl-C away: this process passes it on, once.
        self.process = subprocess.Popen(
            self.command, cwd=ROOT, start_new_session=True, preexec_fn=_die_with_parent()
        )


def _die_with_parent() -> Callable[[], None] | None:
    """Ask Linux to stop a child whose parent was killed; elsewhere there is no such request."""
    if not sys.platform.startswith("linux"):
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # It was killed before it could be asked about, and will not be told of again.
            os._exit(1)

    return ask


def _reason(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def prepare() -> None:
    """Migrate, collect static files and make an administrator; stop with the first that fails."""
    for command in (
        ["migrate", "--no-input", "--verbosity", "0"],
        ["collectstatic", "--no-input", "--verbosity", "0"],
        ["ensure_admin"],
    ):
        done = subprocess.run([*MANAGE, *command], cwd=ROOT, check=False)
        if done.returncode:
            sys.exit(f"manage.py {command[0]} failed: the message above says why.")


def children(options: argparse.Namespace) -> list[Child]:
    """Name the programs: the web server, and a worker that knows the demo workflows."""
    web = [sys.executable, "-m", "daphne", "-v", "0", "-b", options.host, "-p", str(options.port)]
    web += ["--websocket_timeout", "-1", "dboshub.standalone.asgi:application"]
    worker = [*MANAGE, "runworkers"]
    if not options.no_demo:
        worker += ["--import", "dboshub.demo.load_generator"]
    return [Child("web server", web), Child("worker", worker)]


def announce(address: str, stopping: threading.Event) -> None:
    """Say where the dashboard is, once it answers."""
    while not stopping.is_set():
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2):
                say(f"DBOSHub is at {address} . Ctrl-C stops it.")
                return
        except urllib.error.HTTPError:
            say(f"{address} answers, but reports trouble: see {address}/healthz .")
            return
        except OSError:
            stopping.wait(0.2)


def listen_for_signals() -> threading.Event:
    """Give an event that Ctrl-C and its kin set, from now on."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


def supervise(running: list[Child], stopping: threading.Event) -> None:
    """Keep the children running until told to stop, then end them all."""
    while not stopping.is_set():
        for child in running:
            child.check(time.monotonic())
        stopping.wait(0.2)
    _stop(running, stopping)


def _stop(running: list[Child], stopping: threading.Event) -> None:
    """End the children; they have the grace period, or until the second Ctrl-C."""
    stopping.clear()
    say("Stopping: workers finish the step they are in. Ctrl-C again stops at once.")
    deadline = time.monotonic() + GRACE_S
    for child in running:
        child.signal(signal.SIGTERM)
    while any(child.process and child.process.poll() is None for child in running):
        if stopping.wait(0.1) or time.monotonic() > deadline:
            for child in running:
                child.signal(signal.SIGKILL)


def _require_free(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            sys.exit(f"Cannot listen on {host}:{port} ({error.strerror}): make run PORT=8001")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default=8000, type=int, help="port to listen on")
    parser.add_argument("--no-demo", action="store_true", help="leave the demo workflows out")
    options = parser.parse_args()

    os.environ["PYTHONUNBUFFERED"] = "1"
    stopping = listen_for_signals()
    _require_free(options.host, options.port)
    prepare()
    address = f"http://{options.host}:{options.port}"
    threading.Thread(target=announce, args=(address, stopping), daemon=True).start()
    supervise(children(options), stopping)


if __name__ == "__main__":
    main()
