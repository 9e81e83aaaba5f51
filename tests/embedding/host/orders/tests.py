"""The bakery's own tests, as its developers write them: run by `manage.py test`."""

from __future__ import annotations

from typing import Any, cast

from django.test import TestCase, TransactionTestCase

from dboshub import DBOS
from orders.models import Order
from orders.workflows import fill_order, ovens


class Placing(TestCase):
    def test_an_order_starts_a_workflow(self) -> None:
        placed = self.client.post("/orders/place/", {"loaf": "rye"}).json()
        assert placed["status"] == "ENQUEUED"
        order = Order.objects.get()
        assert order.workflow == placed["id"]
        [row] = DBOS.list_workflows()
        assert (row.name, row.queue_name) == ("fill_order", "ovens")
        assert row.input["args"] == (order.pk,)

    def test_nothing_is_left_of_another_test(self) -> None:
        assert DBOS.list_workflows() == []

    def test_a_workflow_is_cancelled(self) -> None:
        handle = DBOS.start_workflow(fill_order, 1)
        answer = self.client.post(f"/orders/{handle.workflow_id}/cancel/")
        assert answer.json() == {"status": "CANCELLED"}

    def test_a_result_that_cannot_come_is_not_waited_for(self) -> None:
        with self.assertRaisesMessage(Exception, "within an open transaction"):
            DBOS.start_workflow(fill_order, 1).get_result()

    async def test_coroutines_see_what_the_test_does(self) -> None:
        handle = await ovens.enqueue_async(fill_order, 1)
        answer = cast("Any", await self.async_client.get("/orders/counts/"))
        assert answer.json()["workflows"] == 1
        assert (await handle.get_status()).status == "ENQUEUED"


class Waiting(TransactionTestCase):
    def test_an_event_that_does_not_come(self) -> None:
        handle = DBOS.start_workflow(fill_order, 1)
        assert DBOS.get_event(handle.workflow_id, "noted", timeout_seconds=0.3) is None
