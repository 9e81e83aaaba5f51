"""Queues as an installed app."""

from __future__ import annotations

from django.apps import AppConfig


class QueuesConfig(AppConfig):
    name = "dboshub.queues"
    label = "dboshub_queues"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "DBOSHub: queues"
