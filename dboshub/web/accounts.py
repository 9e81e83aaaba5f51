"""The project's own pages for accounts: where one logs in, logs out and changes a password."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, Resolver404, get_script_prefix, resolve, reverse


@dataclass(frozen=True, slots=True)
class AccountLinks:
    """Addresses of the project's pages; one that it does not have is empty."""

    logout: str
    password: str
    admin: str


def account_links(request: HttpRequest) -> AccountLinks:
    """What this user is offered; the admin site's pages are for its staff."""
    is_staff = getattr(getattr(request, "user", None), "is_staff", False)
    admin = {name: f"admin:{name}" for name in ("index", "logout", "password_change") if is_staff}
    return AccountLinks(
        logout=_first("logout", "account_logout", admin.get("logout", "")),
        password=_first(
            "password_change", "account_change_password", admin.get("password_change", "")
        ),
        admin=_first(admin.get("index", "")),
    )


def login_redirect(request: HttpRequest) -> HttpResponse:
    """Send somebody to the login page, and back to where they were once they have logged in."""
    address = login_address()
    if "HX-Request" not in request.headers:
        return redirect_to_login(_return_address(request, address), address)
    # A redirect would put the login page inside the page: send the whole window there.
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    back = f"{page.path}?{page.query}".rstrip("?") or reverse("dboshub:home")
    query = urlencode({"next": back})
    return HttpResponse(headers={"HX-Redirect": f"{address}?{query}"})


def login_address() -> str:
    """`LOGIN_URL`; if the project has no page there, the admin site's login if it has one."""
    try:
        address = resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        address = ""
    if address and _is_routed(address):
        return address
    return _first("admin:login") or address or str(settings.LOGIN_URL)


def _is_routed(address: str) -> bool:
    """Whether an address of this project leads to a view; one of another site is taken as good."""
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return True
    try:
        resolve(f"/{parts.path.removeprefix(get_script_prefix())}")
    except Resolver404:
        return False
    return True


def _return_address(request: HttpRequest, login: str) -> str:
    """Where to come back to; a login page of another site needs all of the address."""
    there, here = urlsplit(login), urlsplit(request.build_absolute_uri())
    is_here = there.scheme in ("", here.scheme) and there.netloc in ("", here.netloc)
    return request.get_full_path() if is_here else request.build_absolute_uri()


def _first(*names: str) -> str:
    """The address of the first of these names that the project routes."""
    for name in filter(None, names):
        try:
            return reverse(name)
        except NoReverseMatch:
            continue
    return ""
