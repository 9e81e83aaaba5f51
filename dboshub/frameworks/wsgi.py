"""Flask: launch with the first request of a process, and know each request."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, quote

from dboshub.frameworks.asgi import cookies
from dboshub.frameworks.lifespan import Lifespan
from dboshub.frameworks.requests import (
    REQUEST_ID,
    Request,
    problem_of,
    request_context,
    request_id,
)
from dboshub.workflows.engine.identity import ANONYMOUS

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def install(app: Any, life: Lifespan) -> None:
    """Serve an application of Flask; launched with its first request, unless it is before."""
    app.wsgi_app = DBOSMiddleware(app.wsgi_app, life)
    atexit.register(life.destroy)


class DBOSMiddleware:
    """A server may fork its processes after loading the application: only requests tell."""

    def __init__(self, app: Callable[..., Iterable[bytes]], life: Lifespan) -> None:
        self._app = app
        self._life = life

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._life.launch()
        request = _request(environ)
        if (problem := problem_of(request)) is not None:
            start_response("400 Bad Request", [("content-type", "text/plain; charset=utf-8")])
            return [problem.encode()]

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, (REQUEST_ID, request.request_id)], *more)

        # The thread has answered others before: whoever they were is nobody here.
        with request_context(request, self._life.tracer, ANONYMOUS):
            return self._app(environ, start)


def _request(environ: Environ) -> Request:
    headers = {
        key.removeprefix("HTTP_").lower().replace("_", "-"): value
        for key, value in environ.items()
        if key.startswith("HTTP_") or key in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    query = environ.get("QUERY_STRING", "")
    place = headers.get("host") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    base = f"{environ['wsgi.url_scheme']}://{place}"
    path = quote(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""), encoding="latin-1")
    return Request(
        request_id=request_id(headers),
        method=environ["REQUEST_METHOD"],
        url=f"{base}{path}?{query}" if query else f"{base}{path}",
        base_url=base,
        headers=headers,
        query_params=dict(parse_qsl(query, keep_blank_values=True)),
        path_params={},
        cookies=cookies(headers.get("cookie", "")),
        client=environ.get("REMOTE_ADDR"),
    )
