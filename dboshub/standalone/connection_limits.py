# mypy: disable-error-code="misc,no-untyped-call,override,method-assign,assignment,attr-defined"
"""Limits of the web server: what it reads before it knows who asks, and from how many.

Daphne reads a body of any size, at any speed, and Twisted parses forms before the application is
asked. `limit_connections` puts these limits below both:

- a body has at most MAX_BODY bytes, one without a session's cookie MAX_ANONYMOUS_BODY: by its
  Content-Length before a byte of it is read, else by what arrives;
- a request arrives within REQUEST_S seconds of its first byte, however slowly its bytes come;
- no form is parsed here;
- a user, or an address without one, sends so many requests a second, and fewer without a session;
- few requests are served at once, and the others take turns (`request_turns`);
- answers that nobody reads are few, and end after UNREAD_S seconds, the oldest first;
- connections (`connection_counts`) and the messages of sockets (`message_limits`) are counted.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from django.conf import settings
from twisted.web.http import HTTPChannel

from dboshub.standalone.connection_counts import CountedConnections
from dboshub.standalone.known_sessions import known_sessions
from dboshub.standalone.message_limits import LimitedSocket, LimitedSocketFactory
from dboshub.standalone.request_rates import ABUSE_COSTS, Rates
from dboshub.standalone.request_turns import WAIT_S, Asker, Turn, Turns
from dboshub.web.body_limits import MAX_ANONYMOUS_BODY, MAX_BODY
from dboshub.web.client_address import network_of
from dboshub.workflows.django_settings import is_behind_proxy

REQUEST_S, UNREAD_S = 20.0, 30.0
MAX_UNREAD, MAX_UNREAD_OF_ONE = 200, 16


def _answer(status: str, sentence: str, *headers: str) -> bytes:
    kind = "Content-Type: text/plain; charset=utf-8"
    lines = [f"HTTP/1.1 {status}", *headers, kind, f"Content-Length: {len(sentence)}"]
    return "\r\n".join([*lines, "Connection: close", "", sentence]).encode()


TOO_MANY = _answer(
    "429 Too Many Requests",
    "You, or others at your address, ask too often. Try again in a second.\n",
    "Retry-After: 1",
)
BUSY = _answer(
    "503 Service Unavailable",
    "The dashboard is busy. Try again in some seconds.\n",
    "Retry-After: 5",
)
STOPPING = _answer(
    "503 Service Unavailable", "The dashboard stops. Try again in some seconds.\n", "Retry-After: 5"
)
TOO_LARGE = _answer("413 Content Too Large", "The request is larger than may be.\n")


class LimitedRequest(WebRequest):
    """A request whose body is counted and not parsed, and that waits for its turn."""

    received = 0
    _turn: Turn | None = None
    _holds_turn = False
    _patience: Any = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._parsePOSTFormSubmission = False

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  # a name of Twisted
        self.received += len(data)
        if self.received > self.channel.most_bytes:
            self.channel.refuse(TOO_LARGE)
        else:
            super().handleContentChunk(data)

    def process(self) -> None:
        kinds = self.requestHeaders.getRawHeaders(b"Upgrade", [b""])
        if kinds[0].lower() == b"websocket":
            self._become_socket()
            return
        if self.channel.factory.is_stopping:
            self.channel.refuse(STOPPING)
            return
        too_many = partial(self.give_up, TOO_MANY)
        self._turn = self.channel.factory.turns.ask(self.channel.asker, self._begin, too_many)
        if self._turn is None:
            self.channel.refuse(TOO_MANY)
        elif not self._turn.is_begun:
            self._patience = self.channel.callLater(WAIT_S, self.give_up, BUSY)

    def _become_socket(self) -> None:
        transport, channel = self.transport, self.channel
        super().process()
        socket = getattr(transport, "wrappedProtocol", None)
        if isinstance(socket, LimitedSocket):
            charge = channel.factory.rates.charge
            socket.on_abuse = partial(charge, channel.asker, "socket", ABUSE_COSTS)

    def _begin(self, turn: Turn) -> None:
        self._stop_waiting()
        self._turn, self._holds_turn = turn, True
        end = partial(self._end_turn, self.channel.factory.turns)
        super().process()
        application = self.server.connections.get(self, {}).get("application_instance")
        if application is None:
            end()
        else:
            application.add_done_callback(lambda _: end())

    def _end_turn(self, turns: Turns) -> None:
        if self._turn is not None and self._holds_turn:
            self._holds_turn = False
            turns.end(self._turn)

    async def is_read(self) -> None:
        """Wait until the client has read its answer so far. That takes no turn."""
        # A request that is answered, or whose client has left, has none.
        channel = getattr(self, "channel", None)
        if channel is not None and not channel.is_read.is_set():
            self._end_turn(channel.factory.turns)
            await channel.is_read.wait()

    def give_up(self, answer: bytes) -> None:
        """Refuse the request unless it has had its turn."""
        if self._turn is not None and not self._turn.is_begun:
            self._stop_waiting()
            self.channel.refuse(answer)

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._stop_waiting()
        super().connectionLost(reason)

    def _stop_waiting(self) -> None:
        if self._turn is not None and not self._turn.is_begun:
            self.channel.factory.turns.give_up(self._turn)
            self._turn = None
        if self._patience is not None and self._patience.active():
            self._patience.cancel()


class LimitedChannel(HTTPChannel):
    """A connection that refuses what is too much, and ends what is too slow."""

    asker: Asker
    most_bytes = MAX_ANONYMOUS_BODY
    _unread_until: Any = None
    _is_refused = False
    _deadline: Any = None

    def __init__(self) -> None:
        super().__init__()
        self.is_read = asyncio.Event()
        self.is_read.set()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._is_refused:
            return
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.callLater(REQUEST_S, self.forceAbortClient)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802
        headers = self.requests[-1].requestHeaders
        cookies = b"; ".join(headers.getRawHeaders(b"Cookie", [])).decode("latin-1")
        has_session = f"{settings.SESSION_COOKIE_NAME}=" in cookies
        user = known_sessions.user_of(cookies) if has_session else None
        self.asker = Asker(user or self._address(headers), is_user=user is not None)
        self.most_bytes = MAX_BODY if has_session else MAX_ANONYMOUS_BODY
        kind = "session" if has_session else "anonymous"
        kind = "socket" if headers.hasHeader(b"Upgrade") else kind
        if self.factory.is_stopping:
            self.refuse(STOPPING)
        elif not self.factory.rates.take(self.asker, kind) or self._leaves_much_unread():
            self.refuse(TOO_MANY)
        elif self.length is not None and self.length > self.most_bytes:
            self.refuse(TOO_LARGE)
        else:
            super().allHeadersReceived()

    def _address(self, headers: Any) -> str:
        """Of the client; behind a proxy, what that wrote last."""
        if is_behind_proxy():
            forwarded = headers.getRawHeaders(b"X-Forwarded-For", [b""])[-1]
            return network_of(forwarded.split(b",")[-1].strip().decode("latin-1"))
        transport: Any = self.transport
        return network_of(str(getattr(transport.getPeer(), "host", "")))

    @property
    def serves_request(self) -> bool:
        """Whether a request is under way, or its answer is."""
        return bool(self._handlingRequest) or not self.is_read.is_set()

    def allContentReceived(self) -> None:  # noqa: N802
        self._stop_deadline()
        if not self._is_refused:
            super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:  # noqa: N802
        if not self._is_refused:
            super().rawDataReceived(data)

    def refuse(self, answer: bytes) -> None:
        """Answer and close; what still arrives is dropped."""
        if not self._is_refused:
            self._is_refused = True
            self._stop_deadline()
            transport: Any = self.transport
            transport.write(answer)
            self.loseConnection()

    def pauseProducing(self) -> None:  # noqa: N802
        """Called when more of an answer is there than the client has read."""
        super().pauseProducing()
        if self.is_read.is_set() and self.requests:
            self.is_read.clear()
            self.factory.unread[self] = self.asker
            self._unread_until = self.callLater(UNREAD_S, self.forceAbortClient)
            if len(self.factory.unread) > MAX_UNREAD:
                next(iter(self.factory.unread)).forceAbortClient()

    def resumeProducing(self) -> None:  # noqa: N802
        self._stop_unread()
        super().resumeProducing()

    def _leaves_much_unread(self) -> bool:
        return [*self.factory.unread.values()].count(self.asker) >= MAX_UNREAD_OF_ONE

    def _stop_unread(self) -> None:
        if self.factory.unread.pop(self, None) is not None:
            self.is_read.set()
            if self._unread_until.active():
                self._unread_until.cancel()

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._stop_deadline()
        self._stop_unread()
        super().connectionLost(reason)

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class LimitedHTTPFactory(HTTPFactory):
    is_stopping = False

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.rates, self.turns = Rates(), Turns()
        # The connections whose answers wait for their readers, oldest first.
        self.unread: dict[LimitedChannel, Asker] = {}

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        given, channel = protocol._channel, LimitedChannel()
        channel.callLater, channel.timeOut = given.callLater, given.timeOut
        channel.factory, channel.requestFactory = self, LimitedRequest
        protocol._channel = channel
        return protocol


_send = daphne.server.Server.handle_reply


def limit_connections() -> None:
    """Let the daphne server of this process, which is not running yet, keep these limits."""
    daphne.server.HTTPFactory = lambda server: CountedConnections(LimitedHTTPFactory(server))
    daphne.server.WebSocketFactory = LimitedSocketFactory
    daphne.server.Server.handle_reply = _handle_reply


async def _handle_reply(server: Any, protocol: Any, message: Any) -> None:
    """Let an application send no faster than its client reads."""
    await _send(server, protocol, message)
    if isinstance(protocol, LimitedRequest):
        await protocol.is_read()
