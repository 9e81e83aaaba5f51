"""URLs of the queue pages. The queue's name comes last, because it may contain slashes."""

from __future__ import annotations

from django.urls import path

from dboshub.queues import views
from dboshub.workflows.converters import register_converters

register_converters()

app_name = "queues"

urlpatterns = [
    path("", views.queue_list, name="list"),
    path("do/<slug:verb>/<dboshub_name:name>/", views.act, name="do"),
    path("<dboshub_name:name>/", views.queue_detail, name="detail"),
]
