"""Addresses of the standalone project: the pages of DBOSHub, accounts and the admin site."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from dboshub.standalone import accounts
from dboshub.standalone.admin import site

urlpatterns = [
    path("", include("dboshub.urls")),
    path("login/", accounts.Login.as_view(), name="login"),
    path("logout/", accounts.Logout.as_view(), name="logout"),
    path("password/", accounts.OwnPassword.as_view(), name="password_change"),
    # The admin's own login page would have no throttle: there is one login page.
    path("admin/login/", accounts.admin_login),
    path("admin/logout/", accounts.Logout.as_view()),
    path("admin/password_change/", RedirectView.as_view(pattern_name="password_change")),
    path("admin/", site.urls),
]

handler400 = "dboshub.web.error_pages.bad_request"
handler403 = "dboshub.web.error_pages.forbidden"
handler404 = "dboshub.web.error_pages.not_found"
handler500 = "dboshub.web.error_pages.server_error"
