"""Addresses of a project that includes our pages without a prefix, and has no other page."""

from __future__ import annotations

from django.urls import include, path

from tests.embedding.urls import page_of_the_project

urlpatterns = [
    path("", include("dboshub.urls")),
    path("shop/<path:rest>", page_of_the_project),
]
