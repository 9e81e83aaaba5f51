"""How large a request's body may be, checked before anything parses it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest

MIB = 1_024 * 1_024
# The largest form is one JSON value of a million characters, encoded for a form.
MAX_BODY = 4 * MIB
# A login.
MAX_ANONYMOUS_BODY = 64 * 1_024
BODY_S = 20.0

Application = Callable[[Any, Any, Any], Awaitable[None]]


class BodyRefusedError(Exception):
    """The body is too large, or arrives too slowly: `status` is the answer."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def most_bytes(request: HttpRequest) -> int:
    has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    return MAX_BODY if has_session else MAX_ANONYMOUS_BODY


def is_too_large(request: HttpRequest) -> bool:
    """Whether a request says that its body is larger than may be, or says something else."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    return not (length.isascii() and length.isdecimal()) or int(length[:20]) > most_bytes(request)


def with_body_limits(application: Application) -> Application:
    """An ASGI application that reads no more of a body than may be, and waits no longer for it."""

    async def limited(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        body = _Body(scope, receive)
        try:
            body.require_length()
            return await application(scope, body.receive, send)
        except BodyRefusedError as refusal:
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            start = {"type": "http.response.start", "status": refusal.status, "headers": headers}
            await send(start)
            await send({"type": "http.response.body", "body": b""})

    return limited


class _Body:
    """The body of one request: counts what is received, until it is complete."""

    def __init__(self, scope: Any, receive: Any) -> None:
        headers = dict(scope["headers"])
        self._length = headers.get(b"content-length", b"0")
        has_session = f"{settings.SESSION_COOKIE_NAME}=".encode() in headers.get(b"cookie", b"")
        self._most = MAX_BODY if has_session else MAX_ANONYMOUS_BODY
        self._receive = receive
        self._received = 0
        self._is_complete = False
        self._until: float | None = None

    def require_length(self) -> None:
        """Raise BodyRefusedError for a Content-Length that is too large, or is none."""
        if not self._length.isdigit() or int(self._length[:20]) > self._most:
            raise BodyRefusedError(413)

    async def receive(self) -> Any:
        """Raises BodyRefusedError."""
        if self._is_complete:
            return await self._receive()
        self._until = self._until or asyncio.get_running_loop().time() + BODY_S
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError:
            raise BodyRefusedError(408) from None
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            raise BodyRefusedError(413)
        self._is_complete = not message.get("more_body", False)
        return message
