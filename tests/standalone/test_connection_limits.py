"""The web server reads no more than it must of those whom it does not know, and not for ever."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from dboshub.live.websocket import SIGNED_OUT
from dboshub.standalone import connection_limits
from dboshub.standalone.connection_limits import (
    MAX_QUEUED,
    REQUEST_S,
    CountedConnections,
    LimitedHTTPFactory,
    LimitedSocket,
)
from dboshub.web import body_limits
from dboshub.web.body_limits import MAX_ANONYMOUS_BODY, MAX_BODY, with_body_limits
from tests.standalone.process import dashboard

SESSION = f"Cookie: {settings.SESSION_COOKIE_NAME}=x\r\n"


class Server:
    """What the factory asks of daphne's server; keeps what requests reach it."""

    root_path = ""
    proxy_forwarded_address_header = None
    request_buffer_size = 8_192
    server_name = ""

    def __init__(self) -> None:
        self.reached: list[dict[str, Any]] = []
        self.queue: asyncio.Queue[Any] = asyncio.Queue()

    def protocol_connected(self, protocol: Any) -> None: ...
    def protocol_disconnected(self, protocol: Any) -> None: ...

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        self.reached.append(scope)
        return self.queue


class Wire:
    """One connection to the factory of the web server, with a clock that the test moves."""

    def __init__(self) -> None:
        self.server, self.clock = Server(), Clock()
        factory = LimitedHTTPFactory(self.server)
        factory.reactor = self.clock
        self.protocol = factory.buildProtocol(IPv4Address("TCP", "203.0.113.9", 7))
        self.transport = StringTransportWithDisconnection()
        self.transport.protocol = self.protocol
        self.protocol.makeConnection(self.transport)

    def send(self, text: str | bytes) -> None:
        if self.transport.connected:
            self.protocol.dataReceived(text.encode() if isinstance(text, str) else text)

    @property
    def answer(self) -> str:
        return self.transport.value().decode()


def head(length: int | None, *, more: str = "") -> str:
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    form = "Content-Type: application/x-www-form-urlencoded"
    return f"POST /login/ HTTP/1.1\r\nHost: x\r\n{form}\r\n{more}{size}\r\n\r\n"


@pytest.mark.parametrize(
    ("more", "most"), [("", MAX_ANONYMOUS_BODY), (SESSION, MAX_BODY)], ids=["nobody", "session"]
)
def test_a_length_that_is_too_large_is_refused_before_its_body(more: str, most: int) -> None:
    wire = Wire()
    wire.send(head(most + 1, more=more))
    assert wire.answer.startswith("HTTP/1.1 413")
    assert not wire.transport.connected
    assert not wire.server.reached
    allowed = Wire()
    allowed.send(head(most, more=more))
    allowed.send(b"x" * most)
    assert [each["path"] for each in allowed.server.reached] == ["/login/"]


def test_a_body_without_a_length_is_counted() -> None:
    wire = Wire()
    wire.send(head(None))
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    for _ in range(MAX_ANONYMOUS_BODY // 0x8000):
        wire.send(chunk)
    assert wire.transport.connected
    wire.send(chunk)
    assert wire.answer.startswith("HTTP/1.1 413")
    assert not wire.server.reached


def test_an_address_asks_so_often_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection_limits.RATES, "anonymous", (0.0, 2.0))
    monkeypatch.setitem(connection_limits.RATES, "session", (0.0, 3.0))
    monkeypatch.setitem(connection_limits.RATES, "socket", (0.0, 0.0))
    rates = connection_limits.Rates()
    asked = [rates.take("203.0.113.9", "anonymous") for _ in range(4)]
    assert asked == [True, True, False, False]
    assert [rates.take("203.0.113.9", "session") for _ in range(4)] == [True] * 3 + [False]
    assert rates.take("203.0.113.10", "anonymous")
    monkeypatch.setattr(connection_limits, "MAX_ADDRESSES", 1)
    rates.take("203.0.113.11", "anonymous")
    assert rates.take("203.0.113.9", "anonymous")
    wire = Wire()
    wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.server.reached
    monkeypatch.setitem(connection_limits.RATES, "anonymous", (0.0, 0.0))
    for more in ("", f"{SESSION}Upgrade: websocket\r\n"):
        refused = Wire()
        refused.send(f"GET / HTTP/1.1\r\nHost: x\r\n{more}\r\n")
        assert refused.answer.startswith("HTTP/1.1 429")
        assert not refused.server.reached


def test_no_form_is_parsed_before_the_application_is_asked() -> None:
    wire = Wire()
    body = b"&".join(b"a%d=b" % number for number in range(1_000))
    wire.send(head(len(body)))
    wire.send(body)
    [request] = wire.protocol._channel.requests
    assert request.args == {}
    assert wire.server.reached


@pytest.mark.parametrize("begun", ["POST /login/ HT", head(1_000)], ids=["headers", "body"])
def test_one_byte_at_a_time_is_too_slow(begun: str) -> None:
    wire = Wire()
    wire.send(begun)
    for _ in range(int(REQUEST_S)):
        assert wire.transport.connected
        wire.send("x")
        wire.clock.advance(1)
    assert not wire.transport.connected
    assert not wire.server.reached


def test_what_arrives_in_time_has_no_deadline() -> None:
    wire = Wire()
    wire.send(head(4))
    wire.send("x" * 4)
    wire.clock.advance(REQUEST_S - 1)
    assert wire.server.reached
    assert not any("forceAbortClient" in str(each) for each in wire.clock.getDelayedCalls())


def test_connections_are_counted_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_PER_ADDRESS", 2)
    monkeypatch.setattr(connection_limits, "MAX_CONNECTIONS", 3)
    factory = CountedConnections(LimitedHTTPFactory(Server()))

    def connect(address: str) -> Any:
        peer = IPv4Address("TCP", address, 7)
        protocol = factory.buildProtocol(peer)
        if protocol is not None:
            transport = StringTransportWithDisconnection(peerAddress=peer)
            transport.protocol = protocol
            protocol.makeConnection(transport)
        return protocol

    first, second = connect("203.0.113.1"), connect("203.0.113.1")
    assert connect("203.0.113.1") is None
    assert connect("203.0.113.2") is not None
    assert connect("203.0.113.3") is None
    first.transport.loseConnection()
    assert connect("203.0.113.3") is not None
    second.transport.loseConnection()
    assert factory._by_address == {"203.0.113.2": 1, "203.0.113.3": 1}


def test_behind_a_proxy_all_come_from_one_address(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DBOSHUB_BEHIND_PROXY = True
    monkeypatch.setattr(connection_limits, "MAX_PER_ADDRESS", 0)
    factory = CountedConnections(LimitedHTTPFactory(Server()))
    assert factory.buildProtocol(IPv4Address("TCP", "10.0.0.1", 7)) is not None


def test_a_socket_whose_messages_nobody_reads_is_cut_off() -> None:
    protocol = LimitedSocket()
    protocol.application_queue = asyncio.Queue()
    protocol.client_addr = None
    aborted: list[bool] = []
    protocol.transport = type("", (), {"abortConnection": lambda self: aborted.append(True)})()
    for _ in range(MAX_QUEUED):
        protocol.onMessage(b'{"ack":0}', False)
    assert not aborted
    protocol.onMessage(b'{"ack":0}', False)
    assert aborted
    assert protocol.application_queue.qsize() == MAX_QUEUED


async def answered(scope: dict[str, Any], *messages: dict[str, Any]) -> list[int]:
    """The status by which an application that reads the whole body answers."""
    waiting, sent = list(messages), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else await asyncio.get_running_loop().create_future()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200})

    await with_body_limits(application)({"type": "http"} | scope, receive, send)
    return [message["status"] for message in sent if "status" in message]


def part(size: int, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


async def test_other_servers_keep_the_limits_too(monkeypatch: pytest.MonkeyPatch) -> None:
    half = MAX_ANONYMOUS_BODY // 2
    whole = {"headers": []}
    assert await answered(whole, part(half), part(half, more=False)) == [200]
    assert await answered(whole, part(half), part(half), part(1)) == [413]
    said = {"headers": [(b"content-length", str(MAX_ANONYMOUS_BODY + 1).encode())]}
    assert await answered(said) == [413]
    cookie = (b"cookie", f"{settings.SESSION_COOKIE_NAME}=x".encode())
    assert await answered({"headers": [*said["headers"], cookie]}, part(1, more=False)) == [200]
    assert await answered({"headers": [(b"content-length", b"-1")]}) == [413]
    monkeypatch.setattr(body_limits, "BODY_S", 0)
    assert await answered(whole, part(1)) == [408]


def closing_code(host: str, port: int, *, within: float) -> int:
    """The code with which the live socket is closed for somebody without a session."""
    with socket.create_connection((host, port), timeout=within) as connection:
        upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13"
        origin = f"Origin: http://{host}:{port}\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng=="
        head = f"GET /live/ HTTP/1.1\r\nHost: {host}:{port}\r\n{upgrade}\r\n{origin}\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while b"\r\n\r\n\x88" not in received:
            received += connection.recv(1_000)
        assert received.startswith(b"HTTP/1.1 101")
        return int.from_bytes(received.partition(b"\r\n\r\n\x88")[2][1:3], "big")


@pytest.mark.django_db
def test_pages_in_any_project_refuse_what_is_too_large(client: Client) -> None:
    for length, status in ((str(MAX_BODY + 1), 413), ("x", 413), ("10", 302)):
        answer = client.generic("POST", "/workflows/bulk/new/", b"x" * 10, CONTENT_LENGTH=length)
        assert answer.status_code == status, length


def test_the_dashboard_is_served_within_these_limits(sqlite_url: str, tmp_path: Any) -> None:
    from dboshub.workflows.storage.database import open_database
    from dboshub.workflows.storage.schema.migrate import migrate

    opened = open_database(sqlite_url)
    migrate(opened)
    opened.close()
    with dashboard(sqlite_url, tmp_path) as served:
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
            host, port = served.address.removeprefix("http://").split(":")
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                said = f"Host: x\r\nContent-Type: {kind}\r\nContent-Length: {1 << 40}"
                connection.sendall(f"POST /login/ HTTP/1.1\r\n{said}\r\n\r\n".encode())
                assert connection.recv(100).startswith(b"HTTP/1.1 413")
        assert closing_code(host, int(port), within=10) == SIGNED_OUT
        assert httpx.get(f"{served.address}/healthz", timeout=10).text == "ok\n"
        with served.visitor() as visitor:
            assert visitor.client.get("/workflows/").status_code == 200
