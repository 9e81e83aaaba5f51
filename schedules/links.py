"""Addresses of schedule pages."""

from __future__ import annotations

from django.urls import reverse


def detail_url(name: str) -> str:
    return reverse("dboshub:schedules:detail", args=[name])
