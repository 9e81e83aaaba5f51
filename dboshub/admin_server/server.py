"""A small HTTP server on a port of its own: reads requests, checks the token, writes replies."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dboshub.admin_server.routes import Answer, AuditedAction, Host, Refused, answer, is_open

logger = logging.getLogger("dboshub.admin_server")

MOST_BODY = 1_000_000
MOST_CONNECTIONS = 32
IDLE_S = 10.0
# Seconds until a request must have arrived, with its token.
REQUEST_S = 10.0


Record = Callable[[AuditedAction, str], None]


class AdminServer:
    """Listens from its construction, which raises OSError for an address it cannot have."""

    def __init__(
        self, host: Host, *, address: tuple[str, int], token: str, record: Record | None = None
    ) -> None:
        """`record` is told what was done, and from which address; the log has it in any case."""
        self._server = _Server(address, host, _digest(token), record)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="dboshub-admin-server", daemon=True
        )
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """End what is under way, and wait for its threads."""
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    """Keeps its connections few, so that nobody can take all the threads of a worker."""

    daemon_threads = False  # server_close() waits for them

    def __init__(
        self, address: tuple[str, int], host: Host, token: bytes, record: Record | None
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.host = host
        self.token = token
        self.record = record
        # When each connection began; those whose request is being served are in `_served`.
        self._connected: dict[socket.socket, float] = {}
        self._served: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        with self._lock:
            waiting = [each for each in self._connected if each not in self._served]
            if len(self._connected) >= MOST_CONNECTIONS:
                if not waiting:
                    return False
                # Whoever was slowest to ask gives way, so that nobody keeps others out by waiting.
                _end(min(waiting, key=lambda each: self._connected[each]))
            self._connected[request] = time.monotonic()
            return True

    def service_actions(self) -> None:
        """End connections that are too slow; called ten times a second."""
        with self._lock:
            since = time.monotonic() - REQUEST_S
            for connection, begun in self._connected.items():
                if begun < since and connection not in self._served:
                    _end(connection)

    def serve_now(self, request: socket.socket) -> None:
        """Leave a connection its time: its request has arrived, with the token."""
        with self._lock:
            self._served.add(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connected.pop(request, None)
            self._served.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Let no slow client hold up the end."""
        with self._lock:
            for connection in self._connected:
                _end(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a connection of the admin server broke", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One request for each connection."""

    timeout = IDLE_S
    server: _Server
    server_version = "dboshub"
    sys_version = ""

    def do_GET(self) -> None:
        self._reply()

    def do_POST(self) -> None:
        self._reply()

    def log_message(self, format: str, *args: Any) -> None:
        logger.debug(format, *args)

    def _reply(self) -> None:
        try:
            found = self._answer()
        except Refused as refused:
            found = Answer(refused.status, {"error": refused.problem})
        except Exception:
            logger.exception("%s %r failed", self.command, self.path)
            found = Answer(500, {"error": "it failed; the log of this process says why"})
        self._write(found)

    def _answer(self) -> Answer:
        if not is_open(self.command, self.path):
            self._check_token()
        if self.command == "POST":
            logger.info("%s %r, asked by %s", self.command, self.path, self.client_address[0])
        body = self._body()
        self.server.serve_now(self.connection)
        found = answer(self.server.host, self.command, self.path, body)
        if found.audited_action is not None and self.server.record is not None:
            self.server.record(found.audited_action, self.client_address[0])
        return found

    def _check_token(self) -> None:
        scheme, _, given = self.headers.get("Authorization", "").partition(" ")
        is_right = hmac.compare_digest(_digest(given.strip()), self.server.token)
        if not is_right or scheme.lower() != "bearer":
            raise Refused(401, "give the token: Authorization: Bearer …")

    def _body(self) -> Any:
        """The JSON sent along, or None."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not (length.isascii() and length.isdigit()):
            raise Refused(411, "say how long the body is: Content-Length")
        if int(length) > MOST_BODY:
            raise Refused(413, f"the body may have {MOST_BODY} bytes")
        text = self.rfile.read(int(length))
        try:
            return json.loads(text) if text.strip() else None
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not JSON") from None

    def _write(self, found: Answer) -> None:
        content = found.content
        is_text = isinstance(content, str)
        body = b"" if content is None else (content if is_text else json.dumps(content)).encode()
        self.send_response(found.status)
        if content is not None:
            kind = "text/plain" if is_text else "application/json"
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
        if found.status == 401:
            self.send_header("WWW-Authenticate", "Bearer")
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        connection.shutdown(socket.SHUT_RDWR)


def _digest(token: str) -> bytes:
    """Of equal length whatever is given, so that comparing takes the same time."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
