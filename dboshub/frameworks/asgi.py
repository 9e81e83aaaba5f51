"""FastAPI and Starlette: launch and destroy with the application, and know each request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, quote

from dboshub.frameworks.lifespan import Lifespan
from dboshub.frameworks.requests import (
    REQUEST_ID,
    Request,
    problem_of,
    request_context,
    request_id,
)
from dboshub.workflows.engine.errors import DBOSException, DBOSNotAuthorizedError
from dboshub.workflows.engine.identity import current_identity
from dboshub.workflows.engine.registration.roles import DBOSContextEnsure

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def install(app: Any, life: Lifespan) -> None:
    """Serve an application of FastAPI or Starlette, which must not have started."""
    app.add_middleware(DBOSMiddleware, life=life)
    build = app.build_middleware_stack
    app.build_middleware_stack = lambda: IdentityMiddleware(build())
    app.add_exception_handler(DBOSException, error_reply)


class DBOSMiddleware:
    """Launches before the application takes requests, destroys after it took its last."""

    def __init__(self, app: App, life: Lifespan) -> None:
        self._app = app
        self._life = life

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._with_lifespan(send))
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _with_lifespan(self, send: Send) -> Send:
        async def sends(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await asyncio.to_thread(self._life.launch, asyncio.get_running_loop())
            elif message["type"].startswith("lifespan.shutdown."):
                await asyncio.to_thread(self._life.destroy)
            await send(message)

        return sends

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        request = _request(scope)
        if (problem := problem_of(request)) is not None:
            await _refuse(send, problem)
            return

        async def sends(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = (REQUEST_ID.encode(), request.request_id.encode())
                message = {**message, "headers": [*message.get("headers", ()), named]}
            await send(message)

        # On whose behalf: as a middleware around this one may have said already.
        with request_context(request, self._life.tracer, current_identity()):
            await self._app(scope, receive, sends)


class IdentityMiddleware:
    """Around all others: what a middleware sets as the identity ends with the request."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        with DBOSContextEnsure():
            await self._app(scope, receive, send)


async def _refuse(send: Send, problem: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": problem.encode()})


async def error_reply(request: Any, error: Exception) -> Any:
    """What a handler did not catch, as JSON: 403 for a missing role, else 500."""
    from starlette.responses import JSONResponse

    assert isinstance(error, DBOSException)
    status = 403 if isinstance(error, DBOSNotAuthorizedError) else 500
    return JSONResponse(_told(error), status_code=status)


def _told(error: DBOSException) -> dict[str, str]:
    return {
        "message": error.message,
        "dbos_error_code": str(error.dbos_error_code),
        "dbos_error": type(error).__name__,
    }


def _request(scope: Message) -> Request:
    headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
    query = scope.get("query_string", b"").decode("latin-1")
    host, port = scope.get("server") or ("localhost", None)
    place = headers.get("host") or (f"{host}:{port}" if port else host)
    base = f"{scope.get('scheme', 'http')}://{place}"
    path = quote(scope["path"])
    client = scope.get("client")
    return Request(
        request_id=request_id(headers),
        method=scope["method"],
        url=f"{base}{path}?{query}" if query else f"{base}{path}",
        base_url=base,
        headers=headers,
        query_params=dict(parse_qsl(query, keep_blank_values=True)),
        path_params=scope.get("path_params", {}),
        cookies=cookies(headers.get("cookie", "")),
        client=client[0] if client else None,
    )


def cookies(header: str) -> dict[str, str]:
    """The cookies that a header holds; none if it is none."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
