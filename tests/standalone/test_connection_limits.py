"""The web server reads no more than it must of those whom it does not know, and not for ever."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import httpx
import pytest
from autobahn.websocket.protocol import TrafficStats
from django.conf import settings
from django.test import Client
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection

from dboshub.live.websocket import SIGNED_OUT
from dboshub.standalone import connection_counts, connection_limits, request_rates
from dboshub.standalone.connection_counts import CountedConnections
from dboshub.standalone.connection_limits import (
    MAX_UNREAD_OF_ONE,
    REQUEST_S,
    UNREAD_S,
    LimitedHTTPFactory,
)
from dboshub.standalone.known_sessions import known_sessions
from dboshub.standalone.message_limits import BYTES_AT_ONCE, MAX_CLOSING, MAX_QUEUED, LimitedSocket
from dboshub.standalone.request_rates import ABUSE_COSTS, RATES
from dboshub.standalone.request_turns import (
    MAX_WAITING_OF_ONE,
    OF_ONE_USER,
    OF_STRANGERS,
    WAIT_S,
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
        self.connections: dict[Any, dict[str, Any]] = {}
        self.served: list[Future[None]] = []

    def protocol_connected(self, protocol: Any) -> None: ...
    def protocol_disconnected(self, protocol: Any) -> None: ...

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        self.reached.append(scope)
        self.served.append(Future())
        self.connections[protocol] = {"application_instance": self.served[-1]}
        return self.queue


class Wire:
    """One connection to the factory of the web server, with a clock that the test moves.

    Others of the same server are made by `beside`.
    """

    def __init__(self, beside: Wire | None = None, address: str = "203.0.113.9") -> None:
        self.server = beside.server if beside else Server()
        self.clock = beside.clock if beside else Clock()
        self.factory = beside.factory if beside else LimitedHTTPFactory(self.server)
        self.factory.reactor = self.clock
        peer = IPv4Address("TCP", address, 7)
        self.protocol = self.factory.buildProtocol(peer)
        self.transport = StringTransportWithDisconnection(peerAddress=peer)
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
    monkeypatch.setitem(request_rates.RATES, "anonymous", (0.0, 2.0))
    monkeypatch.setitem(request_rates.RATES, "session", (0.0, 3.0))
    monkeypatch.setitem(request_rates.RATES, "socket", (0.0, 0.0))
    rates = request_rates.Rates()
    asked = [rates.take("203.0.113.9", "anonymous") for _ in range(4)]
    assert asked == [True, True, False, False]
    assert [rates.take("203.0.113.9", "session") for _ in range(4)] == [True] * 3 + [False]
    assert rates.take("203.0.113.10", "anonymous")
    monkeypatch.setattr(request_rates, "MAX_ADDRESSES", 1)
    rates.take("203.0.113.11", "anonymous")
    assert rates.take("203.0.113.9", "anonymous")
    wire = Wire()
    wire.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert wire.server.reached
    monkeypatch.setitem(request_rates.RATES, "anonymous", (0.0, 0.0))
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


def connect(factory: CountedConnections, address: str) -> Any:
    """A connection from an address; None if it is refused."""
    peer = IPv4Address("TCP", address, 7)
    protocol = factory.buildProtocol(peer)
    if protocol is not None:
        transport = StringTransportWithDisconnection(peerAddress=peer)
        transport.protocol = protocol
        protocol.makeConnection(transport)
    return protocol


def test_connections_are_counted_by_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_counts, "MAX_PER_ADDRESS", 2)
    factory = CountedConnections(LimitedHTTPFactory(Server()))
    first, second = connect(factory, "203.0.113.1"), connect(factory, "203.0.113.1")
    assert connect(factory, "203.0.113.1") is None
    assert connect(factory, "203.0.113.2") is not None
    first.transport.loseConnection()
    assert connect(factory, "203.0.113.1") is not None
    second.transport.loseConnection()
    held = {address: len(found) for address, found in factory._by_address.items()}
    assert held == {"203.0.113.1": 1, "203.0.113.2": 1}


def test_an_idle_connection_of_who_has_most_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_counts, "MAX_CONNECTIONS", 3)
    factory = CountedConnections(LimitedHTTPFactory(Server()))
    busy, idle, last = (connect(factory, "203.0.113.1") for _ in range(3))
    busy.dataReceived(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connect(factory, "203.0.113.1") is None
    assert connect(factory, "203.0.113.2") is not None
    assert busy.transport.connected
    assert not idle.transport.connected
    assert last.transport.connected
    # One address may have many: of IPv6 it is a network.
    assert connect(factory, "2001:db8::1") is not None
    assert connect(factory, "2001:db8::2") is None


def test_behind_a_proxy_all_come_from_one_address(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DBOSHUB_BEHIND_PROXY = True
    monkeypatch.setattr(connection_counts, "MAX_PER_ADDRESS", 0)
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


def test_a_socket_is_cut_off_before_too_much_of_it_is_parsed() -> None:
    protocol, abuses = connected_socket()
    protocol.dataReceived(b"x" * int(BYTES_AT_ONCE))
    assert not abuses
    protocol.dataReceived(b"x" * int(BYTES_AT_ONCE))
    assert abuses == ["abuse", "cut off"]


def test_a_socket_that_is_closed_does_not_go_on() -> None:
    protocol, abuses = connected_socket()
    protocol.state = protocol.STATE_CLOSING
    protocol.dataReceived(b"x" * MAX_CLOSING)
    assert not abuses
    protocol.dataReceived(b"x")
    assert abuses == ["abuse", "cut off"]


def connected_socket() -> tuple[LimitedSocket, list[str]]:
    """A socket that is read, and what is done about its abuse."""
    protocol, done = LimitedSocket(), []
    protocol.transport = type("", (), {"abortConnection": lambda self: done.append("cut off")})()
    protocol.on_abuse = lambda: done.append("abuse")
    protocol.state, protocol.consumeData = protocol.STATE_OPEN, lambda: None
    protocol.data = bytearray()
    protocol.logOctets, protocol.trafficStats = False, TrafficStats()
    return protocol, done


def test_who_abuses_sockets_opens_no_more_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, "socket", (0.0, ABUSE_COSTS + 2.0))
    rates = request_rates.Rates()
    assert rates.take("eve", "socket")
    rates.charge("eve", "socket", ABUSE_COSTS)
    assert rates.take("eve", "socket")
    assert not rates.take("eve", "socket")
    rates.charge("eve", "socket", 10 * ABUSE_COSTS)
    assert rates.take("ada", "socket")


GET = "GET /login/ HTTP/1.1\r\nHost: x\r\n{more}\r\n"


@pytest.fixture
def session_of_ada() -> Iterator[str]:
    """The Cookie header of a session that is known to be Ada's."""
    known_sessions.learn("her-key", "ada")
    yield f"Cookie: a=b; {settings.SESSION_COOKIE_NAME}=her-key\r\n"
    known_sessions.forget("her-key")


@pytest.mark.parametrize("more", ["", SESSION, "Upgrade: h2c\r\n"], ids=["none", "forged", "no"])
def test_strangers_wait_for_their_turn(more: str, session_of_ada: str) -> None:
    first = Wire()
    wires = [first, *(Wire(first) for _ in range(OF_STRANGERS))]
    for wire in wires:
        wire.send(GET.format(more=more))
    assert len(first.server.reached) == OF_STRANGERS
    # Behind the same address.
    hers = Wire(first)
    hers.send(GET.format(more=session_of_ada))
    assert len(first.server.reached) == OF_STRANGERS + 1
    first.server.served[0].set_result(None)
    assert len(first.server.reached) == OF_STRANGERS + 2
    first.clock.advance(WAIT_S)
    assert all(wire.transport.connected for wire in wires)


def test_one_user_waits_wherever_they_ask_from(session_of_ada: str) -> None:
    first = Wire()
    for number in range(OF_ONE_USER + 1):
        Wire(first, f"203.0.113.{number}").send(GET.format(more=session_of_ada))
    assert len(first.server.reached) == OF_ONE_USER


def test_who_waits_too_long_or_too_often_is_told_when_to_come_back() -> None:
    first = Wire()
    wires = [first, *(Wire(first) for _ in range(OF_STRANGERS + MAX_WAITING_OF_ONE))]
    for wire in wires:
        wire.send(GET.format(more=""))
    assert wires[-1].answer.startswith("HTTP/1.1 429")
    assert "Retry-After: 1\r\n" in wires[-1].answer
    last = wires[-2]
    assert last.transport.connected
    first.clock.advance(WAIT_S)
    assert last.answer.startswith("HTTP/1.1 503")
    assert "Retry-After: 5\r\n" in last.answer
    first.server.served[0].set_result(None)
    assert len(first.server.reached) == OF_STRANGERS


def test_who_leaves_gives_up_the_turn() -> None:
    first = Wire()
    wires = [first, *(Wire(first) for _ in range(OF_STRANGERS + 1))]
    for wire in wires:
        wire.send(GET.format(more=""))
    wires[-2].transport.loseConnection()
    first.server.served[0].set_result(None)
    assert len(first.server.reached) == OF_STRANGERS + 1
    first.server.served[1].set_result(None)
    assert len(first.server.reached) == OF_STRANGERS + 1


def test_few_answers_stay_unread() -> None:
    first = Wire()
    wires = [first, *(Wire(first) for _ in range(MAX_UNREAD_OF_ONE))]
    for wire in wires[:-1]:
        wire.send(GET.format(more=""))
        wire.protocol._channel.pauseProducing()
        wire.protocol._channel.pauseProducing()
    wires[-1].send(GET.format(more=""))
    assert wires[-1].answer.startswith("HTTP/1.1 429")
    first.protocol._channel.resumeProducing()
    again = Wire(first)
    again.send(GET.format(more=""))
    assert again.transport.connected
    first.clock.advance(UNREAD_S)
    assert first.transport.connected
    assert not any(wire.transport.connected for wire in wires[1:])
    assert not first.factory.unread


def test_of_all_unread_answers_the_oldest_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_limits, "MAX_UNREAD", 2)
    first = Wire()
    wires = [first, *(Wire(first, f"203.0.113.{number}") for number in range(2))]
    for wire in wires:
        wire.send(GET.format(more=""))
        wire.protocol._channel.pauseProducing()
    assert [wire.transport.connected for wire in wires] == [False, True, True]


async def test_an_answer_waits_for_its_reader_without_a_turn() -> None:
    first = Wire()
    wires = [first, *(Wire(first) for _ in range(OF_STRANGERS))]
    for wire in wires:
        wire.send(GET.format(more=""))
    request, channel = first.protocol._channel.requests[0], first.protocol._channel
    channel.pauseProducing()
    waiting = asyncio.ensure_future(request.is_read())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert len(first.server.reached) == OF_STRANGERS + 1
    first.server.served[0].set_result(None)
    channel.resumeProducing()
    await waiting
    again = Wire(first)
    again.send(GET.format(more=""))
    assert len(first.server.reached) == OF_STRANGERS + 1


@pytest.mark.django_db
def test_a_session_is_known_once_it_was_served(client: Client, django_user_model: Any) -> None:
    def known() -> str | None:
        [cookie] = [each for name, each in client.cookies.items() if "session" in name]
        return known_sessions.user_of(f"{cookie.key}={cookie.value}")

    user = django_user_model.objects.create_superuser("ada", password="a long password")
    client.force_login(user)
    assert known() is None
    client.get("/workflows/")
    assert known() == str(user.pk)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post("/logout/")
    client.cookies[settings.SESSION_COOKIE_NAME] = cookie
    client.get("/workflows/")
    assert known() is None


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


def test_the_dashboard_is_served_within_these_limits(
    sqlite_url: str, tmp_path: Path, used: Path
) -> None:
    from dboshub.workflows.storage.database import open_database
    from dboshub.workflows.storage.schema.migrate import migrate

    opened = open_database(sqlite_url)
    migrate(opened)
    opened.close()
    with dashboard(sqlite_url, tmp_path, used=used) as served:
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
