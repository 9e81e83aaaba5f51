"""Addresses of the queue pages. Names come last: they may hold anything, slashes included."""

from __future__ import annotations

from django.urls import path, register_converter

from queues import views
from queues.converters import QueueName

register_converter(QueueName, "queue")

app_name = "queues"

urlpatterns = [
    path("", views.queue_list, name="list"),
    path("do/<slug:verb>/<queue:name>/", views.act, name="do"),
    path("<queue:name>/", views.queue_detail, name="detail"),
]
