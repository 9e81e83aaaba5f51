"""A checkout: validate, reserve, wait for the payment, charge, ship, notify.

The payment arrives as a message on the topic "payment", as a provider's webhook would send it. To
play the provider, send "paid" or "declined" to a waiting checkout from its page.
"""

from __future__ import annotations

from dataclasses import dataclass

from dboshub import DBOS
from dboshub.demo.ledger import file_of, ledger

PAYMENT_TOPIC = "payment"
PAYMENT_TIMEOUT_S = 15 * 60


class UnknownProductError(Exception):
    """The shop does not sell this."""


@dataclass(frozen=True)
class Order:
    product: str
    quantity: int
    cents: int


@DBOS.step()
def validate(product: str, quantity: int) -> Order:
    if quantity < 1:
        raise ValueError(f"An order needs at least one piece, not {quantity}")
    with ledger() as db:
        row = db.execute("SELECT cents FROM product WHERE name = ?", [product]).fetchone()
    if row is None:
        raise UnknownProductError(f"The shop does not sell {product!r}")
    return Order(product, quantity, row[0] * quantity)


@DBOS.step()
def reserve(order_id: str, order: Order) -> bool:
    """Put the pieces aside; False if there are not enough."""
    with ledger() as db:
        if db.execute("SELECT 1 FROM reservation WHERE order_id = ?", [order_id]).fetchone():
            return True
        taken = db.execute(
            "UPDATE product SET stock = stock - :n WHERE name = :name AND stock >= :n",
            {"n": order.quantity, "name": order.product},
        )
        if taken.rowcount:
            row = [order_id, order.product, order.quantity]
            db.execute("INSERT INTO reservation VALUES (?, ?, ?)", row)
        return bool(taken.rowcount)


@DBOS.step()
def release(order_id: str) -> None:
    """Put reserved pieces back on the shelf."""
    with ledger() as db:
        row = db.execute(
            "DELETE FROM reservation WHERE order_id = ? RETURNING product, quantity", [order_id]
        ).fetchone()
        if row:
            db.execute("UPDATE product SET stock = stock + ? WHERE name = ?", [row[1], row[0]])


@DBOS.step(retries_allowed=True, max_attempts=3)
def charge(order_id: str, payment_id: str, cents: int) -> str:
    with ledger() as db:
        db.execute("INSERT OR IGNORE INTO charge VALUES (?, ?, ?)", [order_id, payment_id, cents])
    return payment_id


@DBOS.step(retries_allowed=True, max_attempts=3)
def ship(order_id: str) -> str:
    parcel = f"parcel-{order_id}"
    with ledger() as db:
        db.execute("INSERT OR IGNORE INTO shipment VALUES (?, ?)", [order_id, parcel])
    return parcel


@DBOS.step()
def notify(order_id: str, sentence: str) -> None:
    """Leave the customer a letter."""
    file_of("letter", order_id, "txt").write_text(f"{sentence}\n", encoding="utf-8")


@DBOS.workflow()
def checkout(product: str = "mug", quantity: int = 1) -> str:
    """Sell a product; returns what became of the order."""
    order_id = str(DBOS.workflow_id)
    DBOS.set_event("order_status", "validating")
    order = validate(product, quantity)
    if not reserve(order_id, order):
        return _close(order_id, "sold out")

    payment_id = f"pay-{order_id}"
    DBOS.set_event("payment_id", payment_id)
    DBOS.set_event("order_status", "waiting for payment")
    payment = DBOS.recv(PAYMENT_TOPIC, timeout_seconds=PAYMENT_TIMEOUT_S)
    if payment != "paid":
        release(order_id)
        return _close(order_id, "payment timed out" if payment is None else "payment declined")

    charge(order_id, payment_id, order.cents)
    DBOS.set_event("order_status", "waiting for the courier")
    DBOS.sleep(2)
    parcel = ship(order_id)
    return _close(order_id, f"shipped as {parcel}")


@DBOS.workflow()
def pay(order_id: str) -> None:
    """Be the payment provider of one order: its webhook comes after three seconds."""
    payment_id = DBOS.get_event(order_id, "payment_id", timeout_seconds=60)
    if payment_id:
        DBOS.sleep(3)
        DBOS.send(order_id, "paid", PAYMENT_TOPIC)


def _close(order_id: str, status: str) -> str:
    DBOS.set_event("order_status", status)
    notify(order_id, f"Your order {order_id}: {status}.")
    return status
