"""How htmx asks for a part of a page."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class HtmxHttpRequest(HttpRequest):
    htmx: HtmxDetails


def wants_fragment(request: HttpRequest) -> bool:
    """Whether htmx asks for a part of the page.

    Boosted links and history restores also come from htmx, but they replace the whole body.
    """
    htmx: HtmxDetails | None = getattr(request, "htmx", None)
    if not htmx:
        return False
    return not htmx.boosted and not htmx.history_restore_request


def page_or_fragment(request: HttpRequest, page: str, fragment: str) -> str:
    """The template to render: the page, or for an htmx swap the fragment that it includes."""
    return fragment if wants_fragment(request) else page
