# mypy: disable-error-code="misc,no-untyped-call,override"
"""How much of a live socket is read: its bytes are counted before they are parsed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

from dboshub.live.frames import MAX_FRAME_BYTES
from dboshub.live.socket_limits import TOO_MUCH, Allowance

MAX_MESSAGE, MAX_QUEUED = MAX_FRAME_BYTES, 64
# A page subscribes with at most some 16 KiB, and acknowledges with some bytes.
BYTES_PER_S, BYTES_AT_ONCE = 16_384.0, 262_144.0
# What may be under way when the server closes: the end of a message, and the peer's close frame.
MAX_CLOSING = MAX_MESSAGE + 256


class LimitedSocket(WebSocketProtocol):
    """A socket that is cut off when bytes or messages come faster than they may, or than they are
    read, and when they do not end although the server has closed it."""

    on_abuse: Callable[[], object] = staticmethod(lambda: None)

    def __init__(self) -> None:
        super().__init__()
        self._bytes = Allowance(BYTES_PER_S, BYTES_AT_ONCE)
        self._after_close = 0

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  # a name of Twisted
        if self.state == self.STATE_CLOSING:
            self._after_close += len(data)
        if self._after_close > MAX_CLOSING or not self._bytes.take(len(data)):
            self._cut_off()
        else:
            super().dataReceived(data)

    def onMessage(self, payload: bytes, isBinary: bool) -> None:  # noqa: N802, N803
        if self.application_queue.qsize() >= MAX_QUEUED:
            self._cut_off()
        else:
            super().onMessage(payload, isBinary)

    def serverClose(self, code: int | None = None) -> None:  # noqa: N802
        if code == TOO_MUCH:
            self.on_abuse()
        super().serverClose(code)

    def _cut_off(self) -> None:
        self.on_abuse()
        self.transport.abortConnection()
        # What else has arrived is not parsed.
        self.state = self.STATE_CLOSED


class LimitedSocketFactory(WebSocketFactory):
    protocol = LimitedSocket

    def setProtocolOptions(self, **options: Any) -> None:  # noqa: N802
        sizes = {"maxMessagePayloadSize": MAX_MESSAGE, "maxFramePayloadSize": MAX_MESSAGE}
        super().setProtocolOptions(**{**options, **sizes})
