"""A model of the host's with a name that is one of ours, too."""

from __future__ import annotations

from django.db import models


class Schedule(models.Model):
    name = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.name
