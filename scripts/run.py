"""Run DBOSHub on this machine: a web server and a worker, until Ctrl-C.

On the default database both are prepared and the worker runs the demo workflows. On any other one
nothing is created unless you ask for it: without the hub's tables the dashboard only looks at it.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from dboshub.runtime.stop_requests import StopRequests
from dboshub.runtime.supervisor import Child, Exit, supervise
from dboshub.standalone.foreign_database import has_hub_tables
from dboshub.standalone.listening import (
    AddressError,
    Options,
    address_of,
    port_of,
    require_free,
)
from dboshub.workflows.engine.errors import DBOSException
from dboshub.workflows.storage.database_urls import mask_password

ROOT = Path(__file__).resolve().parent.parent
MANAGE = [sys.executable, str(ROOT / "manage.py")]
MAKE = Options("HOST=", "PORT=", "make run ")
GRACE_S = 30.0
DEMO = ["--import", "dboshub.demo.load_generator"]
SYSTEM, HUB = "DBOS_SYSTEM_DATABASE_URL", "DBOSHUB_DATABASE_URL"
HOW_TO_WORK = """\
No worker runs, and no table was made. To run workflows on this database:
    {system}='{url}' .venv/bin/python -m dboshub migrate
    {system}='{url}' .venv/bin/python -m dboshub runworkers --import YOUR_MODULE
or let this command do both: make run ARGS=--migrate"""


def say(sentence: str) -> None:
    print(f"▸ {sentence}", flush=True)


def child(name: str, command: list[str], *, reads_input: bool) -> Child:
    """A program whose ends are told on the terminal."""

    def tell(end: Exit) -> None:
        again = "" if end.pause_s is None else f"; again in {end.pause_s:.0f} s"
        say(f"The {name} ended ({end.reason}){again}.")

    return Child(command, tell, reads_input=reads_input)


def prepare() -> None:
    """Make tables, static files and an administrator; stop if that fails."""
    done = subprocess.run([sys.executable, "-m", "scripts.prepare"], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit("Nothing was started: the message above says why.")


def children(options: argparse.Namespace, *, demo: bool) -> list[Child]:
    """The web server, and a worker."""
    web = [sys.executable, "-m", "daphne", "-v", "0", "-b", options.host, "-p", str(options.port)]
    web += ["--websocket_timeout", "-1", "dboshub.standalone.asgi:application"]
    worker = [*MANAGE, "runworkers", "--child", *(DEMO if demo else [])]
    return [
        child("web server", web, reads_input=False),
        child("worker", worker, reads_input=True),
    ]


def announce(address: str) -> None:
    """Say where the dashboard is, once it answers."""
    while True:
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=2):
                say(f"DBOSHub is at {address} . Ctrl-C stops it.")
                return
        except urllib.error.HTTPError:
            say(f"{address} answers, but reports trouble: see {address}/healthz .")
            return
        except OSError:
            time.sleep(0.2)


def look(url: str, options: argparse.Namespace) -> None:
    """Become `dboshub dashboard --url`, which creates and changes nothing in the database."""
    say(HOW_TO_WORK.format(system=SYSTEM, url=mask_password(url)))
    command = [sys.executable, "-m", "dboshub", "dashboard", "--url", url]
    command += ["--host", options.host, "--port", str(options.port)]
    sys.stdout.flush()
    os.execv(sys.executable, command)


def run(options: argparse.Namespace, *, demo: bool) -> None:
    stop = StopRequests()
    stop.on_signals(signal.SIGHUP)
    prepare()
    address = address_of(options.host, options.port)
    threading.Thread(target=announce, args=(address,), daemon=True).start()
    keep_running(children(options, demo=demo), stop)


def keep_running(programs: list[Child], stop: StopRequests) -> None:
    """Start again what crashes; one request ends all, a second one at once."""
    supervise(
        programs,
        stop,
        grace=GRACE_S,
        on_stop=lambda: say(
            "Stopping: workers finish the step they are in. Ctrl-C again stops at once."
        ),
        kills_on_second_request=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", default="8000", help="port to listen on")
    parser.add_argument("--no-demo", action="store_true", help="leave the demo workflows out")
    parser.add_argument(
        "--migrate", action="store_true", help=f"create the tables in the database of {SYSTEM}"
    )
    parser.add_argument("--demo", action="store_true", help="run the demo workflows there, too")
    options = parser.parse_args()
    try:
        options.port = port_of(options.port, MAKE)
        require_free(options.host, options.port, MAKE)
    except AddressError as error:
        sys.exit(str(error))

    os.chdir(ROOT)
    os.environ["PYTHONUNBUFFERED"] = "1"
    url = _given(SYSTEM)
    if not url and not _given(HUB):
        run(options, demo=not options.no_demo)
    elif options.migrate or not url or _is_prepared(url):
        run(options, demo=options.demo)
    else:
        look(url, options)


def _is_prepared(url: str) -> bool:
    """Whether somebody ran `migrate` on the database. Exits where it cannot be reached."""
    try:
        return not _given(HUB) and has_hub_tables(url)
    except DBOSException as error:
        sys.exit(f"{error.message[:1].upper()}{error.message[1:]}.")


def _given(name: str) -> str:
    return os.environ.get(name, "").strip()


if __name__ == "__main__":
    main()
