"""An address that nobody can listen on is told in one sentence, with what to write instead."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dboshub import DBOS
from dboshub.standalone.listening import address_of
from dboshub.workflows.engine.errors import DBOSInitializationError

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a token that nobody guesses"


def run(*options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("port", ["99999", "0", "-1", "abc", "", "80.5", "٣"])
def test_a_port_that_is_none_is_named_with_its_range(port: str) -> None:
    assert f"PORT is {port!r}: give a number from 1 to 65535" in run(f"--port={port}")


def test_a_port_in_use_is_told_with_another_one() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told = run(f"--port={port}")
    assert f"Cannot listen on 127.0.0.1, port {port} (Address already in use)" in told
    assert "another program listens there: make run PORT=" in told


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("192.0.2.1", "Cannot listen on 192.0.2.1, port 8000 (Cannot assign requested address)"),
        ("no-such-host.invalid", "HOST is 'no-such-host.invalid', which is no address"),
    ],
)
def test_a_host_that_is_not_this_machine_is_told(host: str, sentence: str) -> None:
    told = run(f"--host={host}")
    assert sentence in told
    assert "make run HOST=127.0.0.1 for this machine alone" in told


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("::", "http://[::1]:8000"),
    ],
)
def test_the_address_that_is_told_can_be_opened(host: str, address: str) -> None:
    assert address_of(host, 8000) == address


# -- the admin server ----------------------------------------------------------------------


@pytest.mark.parametrize("port", [99_999, -1, "8000", 80.5, True])
def test_an_admin_port_that_is_none_is_refused(port: object) -> None:
    with pytest.raises(DBOSInitializationError, match="give a whole number from 0 to 65535"):
        DBOS(config={"name": "shop", "admin_port": port})  # type: ignore[typeddict-item]


def test_an_admin_port_in_use_is_told_and_workflows_run(
    launch: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken, caplog.at_level(logging.WARNING, "dboshub"):
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        launch(admin_token=TOKEN, admin_port=port)
    assert (
        f"no admin server on 127.0.0.1 port {port} (Address already in use): another process "
        "serves there; give each its own admin_port, or run_admin_server=False"
    ) in caplog.text
    assert DBOS.list_workflows() == []


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_admin_host_that_is_not_this_machine_is_told(
    host: str, launch: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "dboshub"):
        launch(admin_token=TOKEN, admin_host=host, admin_port=0)
    assert f"no admin server on {host} port 0 (" in caplog.text
    assert "admin_host must be an address of this machine" in caplog.text
