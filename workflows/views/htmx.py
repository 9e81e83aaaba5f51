"""The one place that knows how htmx asks for part of a page."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class HtmxHttpRequest(HttpRequest):
    htmx: HtmxDetails


def page_or_fragment(request: HtmxHttpRequest, page: str, fragment: str) -> str:
    """Name the template to render: the page, or for an htmx swap the fragment that it includes.

    Boosted links and history restores also come from htmx, but replace the
    whole body, so they need the whole page.
    """
    htmx = request.htmx
    if not htmx or htmx.boosted or htmx.history_restore_request:
        return page
    return fragment
