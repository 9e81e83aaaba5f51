"""Response headers of our pages: their Content-Security-Policy, and what else browsers are told."""

from __future__ import annotations

from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

from django.http import HttpResponseBase
from django.templatetags.static import static

ResponseT = TypeVar("ResponseT", bound=HttpResponseBase)

POLICY = (
    "default-src 'none'; script-src {source}; style-src {source}; img-src {source}; "
    "font-src {source}; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'; object-src 'none'"
)
HEADERS = {
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# How django-csp and Django 6 are told to leave a response alone.
CSP_EXEMPTIONS = {
    "_csp_exempt": True,
    "_csp_exempt_ro": True,
    "_csp_config": {},
    "_csp_ro_config": {},
}


def set_page_headers(response: ResponseT) -> ResponseT:
    """Give a response of ours our headers, and no policy of the project's."""
    response.headers["Content-Security-Policy"] = content_security_policy()
    for name, value in HEADERS.items():
        response.headers[name] = value
    vars(response).update(CSP_EXEMPTIONS)
    return response


@cache
def content_security_policy() -> str:
    """Only what we serve is loaded: from this site, or from where its static files are."""
    where = urlsplit(static("dboshub/js/page.js"))
    source = f"'self' {where.scheme or 'https'}://{where.netloc}" if where.netloc else "'self'"
    return POLICY.format(source=source)
