# mypy: disable-error-code="misc,no-untyped-call,override,method-assign,assignment,attr-defined"
"""Limits of the web server: what it reads before it knows who asks, and from how many.

Daphne reads a body of any size, at any speed, and Twisted parses forms before the application is
asked. `limit_connections` puts these limits below both:

- a body has at most MAX_BODY bytes, one without a session's cookie MAX_ANONYMOUS_BODY: by its
  Content-Length before a byte of it is read, else by what arrives;
- a request arrives within REQUEST_S seconds of its first byte, however slowly its bytes come;
- no form is parsed here;
- an address sends so many requests a second, and fewer without a session's cookie;
- there are at most MAX_CONNECTIONS, and MAX_PER_ADDRESS of one address unless a proxy hides them;
- a message of a socket has at most MAX_MESSAGE bytes, and no more than MAX_QUEUED wait.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

import daphne.server
from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from django.conf import settings
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import HTTPChannel

from dboshub.live.frames import MAX_FRAME_BYTES
from dboshub.live.socket_limits import Allowance
from dboshub.web.body_limits import MAX_ANONYMOUS_BODY, MAX_BODY
from dboshub.workflows.django_settings import is_behind_proxy

REQUEST_S = 20.0
MAX_CONNECTIONS, MAX_PER_ADDRESS = 4_000, 1_000
MAX_MESSAGE, MAX_QUEUED = MAX_FRAME_BYTES, 64
# Requests of one address: a second, and at once.
RATES = {"anonymous": (40.0, 200.0), "session": (200.0, 1_000.0), "socket": (30.0, 700.0)}
MAX_ADDRESSES = 10_000
_END = b"Connection: close\r\nContent-Length: 0\r\n\r\n"
TOO_MANY = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\n" + _END
STOPPING = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n" + _END
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\n" + _END


class Rates:
    """How fast each address asks; those that asked longest ago are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], Allowance] = OrderedDict()

    def take(self, address: str, kind: str) -> bool:
        """Whether one more request of an address, of a kind in RATES, is allowed now."""
        key = address, kind
        if key not in self._known:
            self._known[key] = Allowance(*RATES[kind])
        self._known.move_to_end(key)
        while len(self._known) > MAX_ADDRESSES:
            self._known.popitem(last=False)
        return self._known[key].take()


class LimitedRequest(WebRequest):
    """A request whose body is counted and not parsed."""

    received = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._parsePOSTFormSubmission = False

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802  # a name of Twisted
        self.received += len(data)
        if self.received > self.channel.most_bytes:
            self.channel.refuse(TOO_LARGE)
        else:
            super().handleContentChunk(data)


class LimitedChannel(HTTPChannel):
    """A connection that refuses what is too large, and ends what is too slow."""

    most_bytes = MAX_ANONYMOUS_BODY
    _is_refused = False
    _deadline: Any = None

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._is_refused:
            return
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.callLater(REQUEST_S, self.forceAbortClient)
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:  # noqa: N802
        headers = self.requests[-1].requestHeaders
        name = f"{settings.SESSION_COOKIE_NAME}=".encode()
        has_session = any(name in cookie for cookie in headers.getRawHeaders(b"Cookie", []))
        self.most_bytes = MAX_BODY if has_session else MAX_ANONYMOUS_BODY
        kind = "session" if has_session else "anonymous"
        kind = "socket" if headers.hasHeader(b"Upgrade") else kind
        if self.factory.is_stopping:
            self.refuse(STOPPING)
        elif not self.factory.rates.take(self._address(headers), kind):
            self.refuse(TOO_MANY)
        elif self.length is not None and self.length > self.most_bytes:
            self.refuse(TOO_LARGE)
        else:
            super().allHeadersReceived()

    def _address(self, headers: Any) -> str:
        """Of the client; behind a proxy, what that wrote last."""
        if is_behind_proxy():
            forwarded = headers.getRawHeaders(b"X-Forwarded-For", [b""])[-1]
            return str(forwarded.split(b",")[-1].strip().decode("latin-1"))
        transport: Any = self.transport
        return str(getattr(transport.getPeer(), "host", ""))

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

    def connectionLost(self, reason: Any) -> None:  # noqa: N802
        self._stop_deadline()
        super().connectionLost(reason)

    def _stop_deadline(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None


class LimitedHTTPFactory(HTTPFactory):
    is_stopping = False

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.rates = Rates()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        protocol = super().buildProtocol(addr)
        given, channel = protocol._channel, LimitedChannel()
        channel.callLater, channel.timeOut = given.callLater, given.timeOut
        channel.factory, channel.requestFactory = self, LimitedRequest
        protocol._channel = channel
        return protocol


class CountedConnections(WrappingFactory):
    """The factory of a server that takes only so many connections."""

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        self._by_address: Counter[str] = Counter()

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        address = str(getattr(addr, "host", ""))
        is_full = len(self.protocols) >= MAX_CONNECTIONS
        if is_full or (not is_behind_proxy() and self._by_address[address] >= MAX_PER_ADDRESS):
            return None
        return super().buildProtocol(addr)

    def registerProtocol(self, p: ProtocolWrapper) -> None:  # noqa: N802
        super().registerProtocol(p)
        self._by_address[_address_of(p)] += 1

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:  # noqa: N802
        super().unregisterProtocol(p)
        address = _address_of(p)
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]


class LimitedSocket(WebSocketProtocol):
    """A socket that is cut off when messages come faster than they are read."""

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        if self.application_queue.qsize() >= MAX_QUEUED:
            self.transport.abortConnection()
            # What else has arrived is not parsed.
            self.state = self.STATE_CLOSED
        else:
            super().onMessage(payload, isBinary)


class LimitedSocketFactory(WebSocketFactory):
    protocol = LimitedSocket

    def setProtocolOptions(self, **options: Any) -> None:  # noqa: N802
        sizes = {"maxMessagePayloadSize": MAX_MESSAGE, "maxFramePayloadSize": MAX_MESSAGE}
        super().setProtocolOptions(**{**options, **sizes})


def limit_connections() -> None:
    """Let the daphne server of this process, which is not running yet, keep these limits."""
    daphne.server.HTTPFactory = lambda server: CountedConnections(LimitedHTTPFactory(server))
    daphne.server.WebSocketFactory = LimitedSocketFactory


def _address_of(protocol: ProtocolWrapper) -> str:
    transport: Any = protocol.transport
    return str(getattr(transport.getPeer(), "host", ""))
