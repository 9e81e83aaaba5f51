"""URLs of the schedule pages. The schedule's name comes last, as it may contain slashes."""

from __future__ import annotations

from django.urls import path

from dboshub.schedules import definition_views, views
from dboshub.workflows.converters import register_converters

register_converters()

app_name = "schedules"

urlpatterns = [
    path("", views.schedule_list, name="list"),
    # Without a slash at its end, so that a schedule may be called "new".
    path("new", definition_views.new, name="new"),
    path("do/<slug:verb>/<dboshub_name:name>/", views.act, name="do"),
    path("<dboshub_name:name>/", views.schedule_detail, name="detail"),
]
