"""SIGTERM ends the web process, whatever is in flight."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dboshub.standalone import server_stop
from dboshub.standalone.request_turns import OF_STRANGERS
from dboshub.standalone.server_stop import Stop
from tests.browser.hub import HubProcess
from tests.standalone.held_urls import BEGUN, GO_ON
from tests.support.eventually import eventually

# Far above every limit, for a machine that does other work, too; a stop without a limit has none.
PATIENCE_S = 60


class HeldHub(HubProcess):
    settings = "tests.standalone.held_settings"

    def __init__(self, data: Path) -> None:
        super().__init__(f"sqlite:///{data}/system.sqlite3", data)
        self.environment |= {"DBOSHUB_ROLLUPS": "0", "DBOSHUB_BULK": "0"}
        self.data = data

    def ask(self) -> socket.socket:
        """Ask for a page that is held."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        connection.sendall(b"GET /held/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return connection

    def held(self) -> int:
        return len([*self.data.glob(f"{BEGUN}-*")])

    def signalled(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def code(self) -> int:
        assert self.process is not None
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HeldHub]:
    hub = HeldHub(tmp_path)
    hub.start()
    yield hub
    hub.kill()


def test_pages_that_are_never_answered_do_not_keep_it(hub: HeldHub) -> None:
    gone = hub.ask()
    eventually(lambda: hub.held() == 1, timeout=PATIENCE_S)
    gone.close()
    # What waits for its turn, too.
    waiting = [hub.ask() for _ in range(5)]
    waiting.pop().close()
    eventually(lambda: hub.held() == OF_STRANGERS, timeout=PATIENCE_S)
    begun = socket.create_connection(("127.0.0.1", hub.port))
    begun.sendall(b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
    hub.signalled(signal.SIGTERM)
    assert hub.code() == 0, hub.log.read_text()
    told = hub.log.read_text()
    assert "Traceback" not in told
    assert "has not stopped" not in told
    for each in (*waiting, begun):
        each.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(hub: HeldHub, number: int) -> None:
    with hub.ask():
        eventually(lambda: hub.held() == 1, timeout=PATIENCE_S)
        hub.signalled(number)
        eventually(lambda: not _listens(hub.port), timeout=PATIENCE_S)
        hub.signalled(number)
        assert hub.code() == 128 + number


def test_a_page_in_flight_is_answered_and_no_other_is_begun(hub: HeldHub) -> None:
    with hub.ask() as asked, ThreadPoolExecutor() as threads:
        eventually(lambda: hub.held() == 1, timeout=PATIENCE_S)
        kept = socket.create_connection(("127.0.0.1", hub.port), timeout=PATIENCE_S)
        kept.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert kept.recv(100).startswith(b"HTTP/1.1 200")
        hub.signalled(signal.SIGTERM)
        eventually(lambda: not _listens(hub.port), timeout=PATIENCE_S)
        kept.sendall(b"GET /held/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        refused = threads.submit(lambda: kept.recv(10_000))
        (hub.data / GO_ON).touch()
        assert asked.recv(100).startswith(b"HTTP/1.1 200")
        assert not refused.result().startswith(b"HTTP/1.1 200")
        assert hub.code() == 0
        assert hub.held() == 1
        assert "Traceback" not in hub.log.read_text()
        kept.close()


def test_a_loop_that_does_not_answer_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_stop, "STOP_S", 0.0)
    codes: list[int] = []
    Stop(lambda: None, codes.append).ask(signal.SIGTERM)
    assert eventually(lambda: codes) == [0]


def test_no_thread_is_needed_that_was_not_there_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_stop, "STOP_S", 0.0)
    codes: list[int] = []
    stop = Stop(lambda: None, codes.append)

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", refuse)
        stop.ask(signal.SIGTERM)
    assert eventually(lambda: codes) == [0]


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S).close()
    except ConnectionError:
        return False
    return True
