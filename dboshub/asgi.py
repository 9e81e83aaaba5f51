"""`with_live_pages(application)`: an ASGI application that also serves the live pages' sockets.

    application = with_live_pages(get_asgi_application())

Importing this imports no model, so it may be imported before Django is set up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[None]]

# What an HTTP scope carries, so that a page knows whether it can be live.
SERVES_SOCKETS = "dboshub.serves_sockets"


def with_live_pages(application: Application) -> Application:
    """Serve the sockets of our pages here, and everything else by the application that is given.

    Call it once Django is set up. The sockets lie under the prefix at which the project includes
    `dboshub.urls`.
    """
    from dboshub.background.threads import ensure_background_threads
    from dboshub.live.routing import is_live_path
    from dboshub.live.websocket import LiveSocket

    live_socket: Application = LiveSocket.as_asgi()

    async def served(scope: Any, receive: Any, send: Any) -> None:
        ensure_background_threads()
        if scope["type"] == "websocket" and is_live_path(scope):
            return await live_socket(scope, receive, send)
        if scope["type"] == "http":
            scope = {**scope, SERVES_SOCKETS: True}
        return await application(scope, receive, send)

    return served
