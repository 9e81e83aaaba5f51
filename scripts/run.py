"""Run DBOSHub on this machine: prepare the database, then a web server and a worker.

Both are children of this process. One that crashes is started again; one Ctrl-C stops both, a
second one at once. Standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
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
HIGHEST_PORT = 65_535
LOCAL = "make run HOST=127.0.0.1 for this machine alone, HOST=0.0.0.0 for others, too"


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


def port_of(text: str) -> int:
    """The port that was asked for. Ends the process with a sentence for what is none."""
    if text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT:
        return int(text)
    sys.exit(f"PORT is {text!r}: give a number from 1 to {HIGHEST_PORT}, like make run PORT=8001")


def require_free(host: str, port: int) -> None:
    """End the process with a sentence unless it may listen on this address."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except socket.gaierror as error:
        sys.exit(f"HOST is {host!r}, which is no address ({error.strerror}): {LOCAL}")
    except OSError as error:
        advice = {
            errno.EADDRINUSE: f"another program listens there: make run PORT={port % 60_000 + 1}",
            errno.EADDRNOTAVAIL: f"this machine has no such address: {LOCAL}",
            errno.EACCES: "ports below 1024 are for administrators: make run PORT=8000",
        }.get(error.errno or 0, "choose another HOST or PORT")
        sys.exit(f"Cannot listen on {host}, port {port} ({error.strerror}): {advice}")


def address_of(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens on an address."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
    return f"http://{f'[{shown}]' if ':' in shown and '[' not in shown else shown}:{port}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default="8000", help="port to listen on")
    parser.add_argument("--no-demo", action="store_true", help="leave the demo workflows out")
    options = parser.parse_args()
    options.port = port_of(options.port)

    os.environ["PYTHONUNBUFFERED"] = "1"
    stopping = listen_for_signals()
    require_free(options.host, options.port)
    prepare()
    address = address_of(options.host, options.port)
    threading.Thread(target=announce, args=(address, stopping), daemon=True).start()
    supervise(children(options), stopping)


if __name__ == "__main__":
    main()
