"""Ten items on a queue, all at once: ten times two seconds of work in about two seconds."""

from __future__ import annotations

import hashlib
import time

from dboshub import DBOS, Queue
from dboshub.demo.ledger import ledger

queue = Queue("demo-items", worker_concurrency=10)


@DBOS.step()
def process_item(number: int) -> str:
    """Do one item: a machine that takes two seconds, then a checksum of what it made."""
    time.sleep(2)
    checksum = hashlib.sha256(f"item {number}".encode() * 10_000).hexdigest()
    with ledger() as db:
        db.execute("INSERT OR REPLACE INTO item VALUES (?, ?)", [number, checksum])
    return f"item {number}: {checksum[:12]}"


@DBOS.workflow()
def process_items(count: int = 10) -> list[str]:
    """Enqueue the items and wait for all of them."""
    handles = [queue.enqueue(process_item, number) for number in range(count)]
    return [handle.get_result() for handle in handles]
