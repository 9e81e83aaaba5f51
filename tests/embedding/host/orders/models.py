"""What the bakery sells."""

from __future__ import annotations

from django.db import models


class Order(models.Model):
    loaf = models.CharField(max_length=40)
    workflow = models.CharField(max_length=60, blank=True)
    baked = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.loaf


class Stock(models.Model):
    """How many of each loaf there are: a row that many transactions read and then write."""

    loaf = models.CharField(max_length=40, unique=True)
    number = models.IntegerField(default=0)

    def __str__(self) -> str:
        return self.loaf
