"""Addresses of a project that puts its pages under a language, and ours among them."""

from __future__ import annotations

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse
from django.urls import include, path


def page_of_the_project(request: HttpRequest, **_: str) -> HttpResponse:
    return HttpResponse("the project's own")


urlpatterns = [
    *i18n_patterns(
        path("tools/ops/", include("dboshub.urls", namespace="steering")),
        path("tools/", page_of_the_project),
    ),
    path("leave/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
