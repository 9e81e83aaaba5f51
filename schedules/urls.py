"""Addresses of the schedule pages. Names come last: they may hold anything, slashes included."""

from __future__ import annotations

from django.urls import path, register_converter

from schedules import edit_views, views
from schedules.converters import ScheduleName

register_converter(ScheduleName, "schedule")

app_name = "schedules"

urlpatterns = [
    path("", views.schedule_list, name="list"),
    # Without a slash at its end, so that a schedule may be called "new".
    path("new", edit_views.new, name="new"),
    path("do/<slug:verb>/<schedule:name>/", views.act, name="do"),
    path("<schedule:name>/", views.schedule_detail, name="detail"),
]
