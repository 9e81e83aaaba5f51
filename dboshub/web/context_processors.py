"""What every page's frame needs to know."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from dboshub.asgi import SERVES_SOCKETS
from dboshub.web.accounts import account_links

THEME_COOKIE = "dboshub_theme"
THEMES = ("system", "light", "dark")

NO_SOCKETS = (
    "This server does not speak WebSocket (WSGI). Serve the ASGI application of this project, "
    "for example by daphne or uvicorn."
)
NOT_WRAPPED = (
    "The asgi.py of this project does not serve live pages. Add the line "
    "application = with_live_pages(application)."
)


def frame(request: HttpRequest) -> dict[str, object]:
    """The chosen colours, the project's account pages, and where a live page listens."""
    # A cookie is a stranger's text, so only known words pass.
    chosen = request.COOKIES.get(THEME_COOKIE)
    return {
        "theme": chosen if chosen in THEMES else "system",
        "themes": THEMES,
        # Who it is is read from the database: a page that does not ask works without one.
        "account": SimpleLazyObject(lambda: account_links(request)),
        "live_address": reverse("dboshub:live"),
        "not_live": _reason(request),
    }


def _reason(request: HttpRequest) -> str:
    """Why this page cannot be live, and the remedy; empty if it can."""
    scope = getattr(request, "scope", None)
    if scope is None:
        return NO_SOCKETS
    return "" if SERVES_SOCKETS in scope else NOT_WRAPPED
