"""Views that belong to no app: theme, health, the address of live sockets, unknown addresses."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, get_script_prefix, resolve, reverse
from django.urls.resolvers import ResolverMatch, RoutePattern
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from dboshub.web.context_processors import THEME_COOKIE, THEMES
from dboshub.web.return_address import return_address
from dboshub.workflows.views.preferences import remember

UPGRADE_REQUIRED = 426


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers; nothing else, since anybody may ask."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The address of live sockets, asked for by plain HTTP: `dboshub.asgi` did not take it."""
    said = "This address speaks WebSocket, and this request did not reach a server that does.\n"
    return HttpResponse(
        said, status=UPGRADE_REQUIRED, headers={"Upgrade": "websocket"}, content_type="text/plain"
    )


live.is_live_socket = True  # type: ignore[attr-defined]  # read by dboshub.live.routing


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember the colours a person chose, in a cookie the page reads before it is drawn."""
    chosen = request.POST.get("theme", "")
    response = redirect(return_address(request))
    if chosen in THEMES:
        remember(request, response, THEME_COOKIE, chosen)
    return response


class UnknownAddresses(URLPattern):
    """Every address under our prefix that nothing else matches; none if there is no prefix."""

    def __init__(self) -> None:
        route = RoutePattern("<path:rest>", name="unknown", is_endpoint=True)
        super().__init__(route, unknown_address, name="unknown")

    def resolve(self, path: str) -> ResolverMatch | None:
        has_prefix = reverse("dboshub:home") != get_script_prefix()
        return super().resolve(path) if has_prefix else None


@require_safe
def unknown_address(request: HttpRequest, rest: str) -> HttpResponse:
    """Lead to the page of this address with a slash, if there is one. Raises Http404."""
    path = request.path_info
    if settings.APPEND_SLASH and not path.endswith("/"):
        match = resolve(f"{path}/", getattr(request, "urlconf", None))
        if match.url_name != "unknown":
            query = request.META.get("QUERY_STRING", "")
            return redirect(f"{request.path}/?{query}".rstrip("?"), permanent=True)
    raise Http404(path)
