# mypy: disable-error-code="misc,no-untyped-call,override"
"""How many connections the web server has, and of whom."""

from __future__ import annotations

from typing import Any

from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from dboshub.web.client_address import network_of
from dboshub.workflows.django_settings import is_behind_proxy

MAX_CONNECTIONS, MAX_PER_ADDRESS = 4_000, 1_000


class CountedConnections(WrappingFactory):
    """The factory of a server that takes only so many connections.

    When it is full, the oldest connection without a request, of the address with most of them,
    gives way to one of an address with fewer.
    """

    def __init__(self, wrapped: Any) -> None:
        super().__init__(wrapped)
        # A dict keeps their order.
        self._by_address: dict[str, dict[ProtocolWrapper, None]] = {}

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802  # a name of Twisted
        count = len(self._by_address.get(_key(addr), ()))
        if not is_behind_proxy() and count >= MAX_PER_ADDRESS:
            return None
        if len(self.protocols) >= MAX_CONNECTIONS and not self._make_room(count):
            return None
        return super().buildProtocol(addr)

    def _make_room(self, count: int) -> bool:
        """Whether an address with more connections than `count` could lose one."""
        most = max(self._by_address.values(), key=len, default={})
        if len(most) <= count and not is_behind_proxy():
            return False
        idle = next((each for each in most if _is_idle(each)), None)
        if idle is None:
            return False
        transport: Any = idle.transport
        transport.abortConnection()
        return True

    def registerProtocol(self, p: ProtocolWrapper) -> None:  # noqa: N802
        super().registerProtocol(p)
        self._by_address.setdefault(_address_of(p), {})[p] = None

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:  # noqa: N802
        super().unregisterProtocol(p)
        address = _address_of(p)
        del self._by_address[address][p]
        if not self._by_address[address]:
            del self._by_address[address]


def _is_idle(protocol: Any) -> bool:
    """Whether a connection serves neither a request nor a socket."""
    channel = getattr(protocol.wrappedProtocol, "_channel", None)
    return channel is not None and not channel.serves_request


def _key(peer: Any) -> str:
    return network_of(str(getattr(peer, "host", "")))


def _address_of(protocol: ProtocolWrapper) -> str:
    transport: Any = protocol.transport
    return _key(transport.getPeer())
