"""Addresses: each app brings its own; here is only what spans them."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from dboshub import saved_views, views
from dboshub.audit_page import audit
from dboshub.home.views import home
from dboshub.hub_page import hub

admin.site.site_header = "DBOSHub administration"
admin.site.site_title = "DBOSHub"
admin.site.index_title = "Configuration"
admin.site.site_url = "/"

urlpatterns = [
    path("", home, name="home"),
    path("healthz", views.healthz, name="healthz"),
    path("login/", views.Login.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("password/", views.OwnPassword.as_view(), name="password_change"),
    path("theme/", views.theme, name="theme"),
    path("views/save/", saved_views.save, name="save_view"),
    path("views/<int:view_id>/delete/", saved_views.delete, name="delete_view"),
    path("workflows/", include("workflows.urls")),
    path("queues/", include("queues.urls")),
    path("schedules/", include("schedules.urls")),
    path("audit/", audit, name="audit"),
    path("exports/", include("dboshub.exports.urls")),
    path("hub/", hub, name="hub"),
    # One door: the admin's own login page would be a second one to guard.
    path("admin/login/", views.admin_login),
    path("admin/", admin.site.urls),
]

handler400 = "dboshub.views.bad_request"
handler403 = "dboshub.views.forbidden"
handler404 = "dboshub.views.not_found"
handler500 = "dboshub.views.server_error"
