"""HTTP middleware of the standalone project: static files, the client's address, page headers."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from dboshub.standalone.known_sessions import learn_from
from dboshub.web.client_address import client_address
from dboshub.web.page_headers import set_page_headers


class AsgiWhiteNoise(WhiteNoiseMiddleware):
    """Serves static files whole: under ASGI a synchronous file iterator is consumed at once anyway,
    with a warning for each file."""

    @staticmethod
    def serve(static_file: StaticFile, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        body = b""
        if found.file is not None:
            with found.file:
                body = found.file.read()
        response = HttpResponse(body, status=int(found.status))
        for name, value in found.headers:
            response[name] = value
        return response


class ForwardedAddress(MiddlewareMixin):
    """Takes the client's address from the proxy that DBOSHUB_BEHIND_PROXY says is in front."""

    def process_request(self, request: HttpRequest) -> None:
        request.META["REMOTE_ADDR"] = client_address(request)


class PageHeaders(MiddlewareMixin):
    """Gives the pages of accounts and of the admin site the headers that all our pages have."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        return set_page_headers(response)


class KnownSessions(MiddlewareMixin):
    """Tells the web server whose sessions it serves, for its limits of each user."""

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        learn_from(request)
        return response
