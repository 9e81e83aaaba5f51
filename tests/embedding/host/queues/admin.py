"""The host's queues in the host's admin site."""

from __future__ import annotations

from django.apps import apps
from django.contrib import admin

admin.site.register(apps.get_model("queues", "Queue"))
