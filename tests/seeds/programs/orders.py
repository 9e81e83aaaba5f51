# ruff: noqa: T201
from __future__ import annotations

import os

from dboshub import DBOS, DBOSConfig, Queue, SetWorkflowID

config: DBOSConfig = {
    "name": "orders",
    "system_database_url": os.environ.get("DBOS_SYSTEM_DATABASE_URL"),
}
DBOS(config=config)

order_queue = Queue("orders", concurrency=10)


@DBOS.workflow()
def process_order(order_id: str):
    # Each step is checkpointed automatically
    charge_payment(order_id)
    reserve_inventory(order_id)
    ship_order(order_id)
    return {"order_id": order_id, "status": "completed"}


@DBOS.step()
def charge_payment(order_id: str):
    print(f"charged {order_id}")
    return {"charged": True}


@DBOS.step()
def reserve_inventory(order_id: str):
    # Reserve items
    return {"reserved": True}


@DBOS.step()
def ship_order(order_id: str):
    # Trigger shipping
    pass


@DBOS.workflow()
def process_batch(orders):
    handles = [order_queue.enqueue(process_order, o) for o in orders]
    return [h.get_result() for h in handles]


@DBOS.workflow()
def parent_workflow():
    # Call child workflow synchronously
    result1 = child_workflow("task1")

    # Start child workflow asynchronously
    handle = DBOS.start_workflow(child_workflow, "task2")

    # Wait for async child
    result2 = handle.get_result()

    return [result1, result2]


@DBOS.workflow()
def child_workflow(task: str):
    DBOS.logger.info(f"Processing workflow {DBOS.workflow_id}")
    return f"{task} done"


if __name__ == "__main__":
    DBOS.launch()
    print(process_order("order-1"))

    handle = DBOS.start_workflow(process_order, "order-2")
    workflow_id = handle.get_workflow_id()
    print(DBOS.retrieve_workflow(workflow_id).get_result())

    print(process_batch(["order-3", "order-4"]))
    print(parent_workflow())

    # Set a custom workflow ID for idempotency
    with SetWorkflowID("order-123-payment"):
        result = process_order("order-123")

    # Calling again with the same ID returns the cached result
    with SetWorkflowID("order-123-payment"):
        result = process_order("order-123")  # Returns previous result
    print(result)
