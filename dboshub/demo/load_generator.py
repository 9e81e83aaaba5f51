"""The gentle pace: every twenty seconds one of the stories begins, each in its turn.

Importing this brings all of the demo, the heartbeat's own schedule included.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from dboshub import DBOS
from dboshub.demo import heartbeat
from dboshub.demo.carrier import track_parcel
from dboshub.demo.checkout import checkout, pay
from dboshub.demo.items import process_items
from dboshub.demo.ledger import ledger
from dboshub.demo.pipeline import measure_summits
from dboshub.demo.publisher import publish_gazette

__all__ = ["heartbeat", "storefront"]

PRODUCTS = ("mug", "lamp", "poster")
PERIOD_S = 20


@DBOS.step()
def restock() -> None:
    with ledger() as db:
        db.execute("UPDATE product SET stock = stock + 20 WHERE stock < 10")


def sell(turn: int) -> None:
    """Somebody orders and pays."""
    order = DBOS.start_workflow(checkout, PRODUCTS[turn % 3], 1 + turn % 2)
    DBOS.start_workflow(pay, order.get_workflow_id())


def sell_unpaid(turn: int) -> None:
    """Somebody orders, and whoever watches may play the payment."""
    DBOS.start_workflow(checkout, PRODUCTS[turn % 3], 1)


def track(turn: int) -> None:
    DBOS.start_workflow(track_parcel, f"parcel-{turn % 1000:03}")


STORIES: tuple[Callable[[int], object], ...] = (
    sell,
    lambda turn: DBOS.start_workflow(measure_summits),
    track,
    sell,
    lambda turn: DBOS.start_workflow(process_items),
    track,
    sell_unpaid,
    lambda turn: DBOS.start_workflow(publish_gazette),
    track,
)


@DBOS.scheduled(f"*/{PERIOD_S} * * * * *")
@DBOS.workflow()
def storefront(scheduled_at: datetime, started_at: datetime) -> None:
    """Begin the next story; the turn follows from the tick, so a replay begins the same one."""
    turn = int(scheduled_at.timestamp()) // PERIOD_S
    restock()
    STORIES[turn % len(STORIES)](turn)
