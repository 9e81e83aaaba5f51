"""Workflows that write the bakery's own tables."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from dboshub import DBOS, Queue
from orders.models import Order, Stock

ovens = Queue("ovens", worker_concurrency=4)


@DBOS.transaction()
def count_baked(order: int) -> int:
    """Reads, then writes: a transaction that begins as a reader fails when another has written."""
    row = Order.objects.get(pk=order)
    row.baked += 1
    row.save()
    Stock.objects.get_or_create(loaf=row.loaf)
    stock = Stock.objects.select_for_update().get(loaf=row.loaf)
    stock.number += 1
    stock.save()
    return row.baked


@DBOS.step()
def note(order: int) -> None:
    """Writes without a transaction of DBOS's: in one of Django's, and in none."""
    with transaction.atomic():
        loaf = Order.objects.get(pk=order).loaf
        Stock.objects.update_or_create(loaf=f"{loaf}, noted", defaults={"number": order})
    Order.objects.filter(pk=order).update(loaf=F("loaf"))


@DBOS.workflow()
def fill_order(order: int) -> int:
    note(order)
    DBOS.set_event("noted", order)
    return count_baked(order)


@DBOS.workflow()
def wait_for_word(order: int) -> str:
    word = DBOS.recv("word", timeout_seconds=60)
    Order.objects.filter(pk=order).update(loaf=word)
    return str(word)
