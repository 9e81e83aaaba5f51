"""Addresses of the standalone project: the pages of DBOSHub, accounts and the admin site."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from dboshub.web import views

admin.site.site_header = "DBOSHub administration"
admin.site.site_title = "DBOSHub"
admin.site.index_title = "Configuration"
admin.site.site_url = "/"

urlpatterns = [
    path("", include("dboshub.urls")),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", views.OwnPassword.as_view(), name="password_change"),
    # The admin's own login page would have no throttle: there is one login page.
    path("admin/login/", views.admin_login),
    path("admin/", admin.site.urls),
]

handler400 = "dboshub.web.views.bad_request"
handler403 = "dboshub.web.views.forbidden"
handler404 = "dboshub.web.views.not_found"
handler500 = "dboshub.web.views.server_error"
