"""The resumption experiment: what survives when a publisher is killed in the middle?

A configured instance keeps one counter in itself and one in its module. Both start again at zero
with the process; the published messages and the workflow's progress do not.
"""

from __future__ import annotations

import itertools

from dboshub import DBOS, DBOSConfiguredInstance, Queue
from dboshub.demo.ledger import ledger

queue = Queue("demo-publishing", worker_concurrency=2)
published_by_process = itertools.count(1)


@DBOS.dbos_class()
class Publisher(DBOSConfiguredInstance):
    """Publishes messages under its name; a recovered workflow finds it again by that name."""

    def __init__(self, name: str) -> None:
        super().__init__(config_name=name)
        self.name = name
        self.published_by_instance = itertools.count(1)

    @DBOS.step()
    def deliver(self, message_id: str, body: str) -> dict[str, int]:
        """Publish once, however often it is tried; tells the counters and the true total."""
        with ledger() as db:
            row = [self.name, message_id, body]
            db.execute("INSERT OR IGNORE INTO message VALUES (?, ?, ?)", row)
            (total,) = db.execute(
                "SELECT count(*) FROM message WHERE publisher = ?", [self.name]
            ).fetchone()
        return {
            "published_by_instance": next(self.published_by_instance),
            "published_by_process": next(published_by_process),
            "published_ever": total,
        }

    @DBOS.workflow()
    def publish(self, body: str) -> dict[str, int]:
        DBOS.sleep(1)
        return self.deliver(str(DBOS.workflow_id), body)

    @DBOS.workflow()
    def publish_all(self, count: int = 5) -> dict[str, int]:
        """Publish through the queue, two at a time; returns the counters after the last."""
        handles = [queue.enqueue(self.publish, f"message {n}") for n in range(1, count + 1)]
        counters: list[dict[str, int]] = [handle.get_result() for handle in handles]
        return counters[-1]


gazette = Publisher("gazette")


@DBOS.workflow()
def publish_gazette(count: int = 5) -> dict[str, int]:
    """Let the gazette publish; a plain function can be started by name from the command line."""
    return gazette.publish_all(count)
