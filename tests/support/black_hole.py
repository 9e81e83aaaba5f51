"""A proxy before PostgreSQL that can forget connections: it acknowledges bytes and drops them.

It can also cut each connection that moves a large value, as middleboxes and full servers do.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

RESET = struct.pack("ii", 1, 0)


class BlackHole:
    """Listens on a port of this machine while it is used in a ``with`` block."""

    def __init__(self, url: str, *, most_at_once: float = float("inf")) -> None:
        """`most_at_once` bytes pass in one direction until some go in the other one."""
        self._parts = urlsplit(url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._forgotten: list[threading.Event] = []
        self._sockets: list[socket.socket] = []
        self._most_at_once = most_at_once
        self.cuts = 0

    @property
    def url(self) -> str:
        """The database's URL through this proxy."""
        port = self._listener.getsockname()[1]
        user = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{user}@127.0.0.1:{port}"))

    def forget(self) -> None:
        """From now on drop what is sent on the connections that exist, in both directions."""
        for each in self._forgotten:
            each.set()

    def __enter__(self) -> BlackHole:
        threading.Thread(target=self._accept, name="pymonitor-proxy", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        for each in (self._listener, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # ends the threads' calls; close() alone does not
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection((self._parts.hostname, self._parts.port))
            except OSError:
                return  # closed
            forgotten = threading.Event()
            self._forgotten.append(forgotten)
            self._sockets += [client, server]
            moved = {client: 0, server: 0}
            for source, target in ((client, server), (server, client)):
                threading.Thread(
                    target=self._pass_on,
                    args=(source, target, forgotten, moved),
                    name="pymonitor-proxy",
                    daemon=True,
                ).start()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        forgotten: threading.Event,
        moved: dict[socket.socket, int],
    ) -> None:
        try:
            while data := source.recv(65_536):
                moved[source] += len(data)
                moved[target] = 0
                if moved[source] > self._most_at_once:
                    self.cuts += 1
                    for each in (source, target):
                        # With a reset: the server would wait until what it sent is read.
                        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        each.shutdown(socket.SHUT_RDWR)
                        each.close()
                    return
                if not forgotten.is_set():
                    target.sendall(data)
            if not forgotten.is_set():
                target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed
