"""Queues as an installed app."""

from __future__ import annotations

from django.apps import AppConfig


class QueuesConfig(AppConfig):
    name = "dboshub.queues"
    label = "dboshub_queues"
    verbose_name = "DBOSHub: queues"
