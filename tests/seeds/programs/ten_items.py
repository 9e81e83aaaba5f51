# ruff: noqa: T201
from __future__ import annotations

import os
import time

import uvicorn
from fastapi import FastAPI

from dboshub import DBOS, DBOSConfig, Queue

app = FastAPI()

config: DBOSConfig = {
    "name": "dbos-tutorial",
    "system_database_url": os.environ.get("DBOS_SYSTEM_DATABASE_URL"),
}
DBOS(config=config)

# Create a queue
queue = Queue("example-queue")


@DBOS.step()
def process_item(item_id: int):
    """Simulate processing an item (takes 2 seconds)"""
    print(f"Processing item {item_id}...")
    time.sleep(2)
    result = f"Item {item_id} processed"
    print(f"✓ {result}")
    return result


@app.get("/")
@DBOS.workflow()
def parallel_workflow():
    print("Enqueueing 10 items for processing...")

    # Enqueue 10 items
    handles = []
    for i in range(10):
        handle = queue.enqueue(process_item, i)
        handles.append(handle)

    print("Waiting for all items to complete...")

    # Wait for all results
    results = []
    for handle in handles:
        result = handle.get_result()  # Blocks until this item completes
        results.append(result)

    print(f"✓ Successfully processed {len(results)} items")
    return {"status": "complete", "items_processed": len(results), "results": results}


if __name__ == "__main__":
    DBOS.launch()
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]))
