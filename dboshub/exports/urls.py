"""URLs of exports."""

from __future__ import annotations

from django.urls import path

from dboshub.exports import views

app_name = "exports"

urlpatterns = [
    path("", views.export_list, name="list"),
    path("new/", views.new, name="new"),
    path("<slug:key>/", views.export_detail, name="export"),
    path("<slug:key>/file", views.download, name="file"),
    path("<slug:key>/discard", views.discard, name="discard"),
]
