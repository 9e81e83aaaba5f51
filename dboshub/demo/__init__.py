"""Workflows to watch and steer: a shop, a queue, a pipeline, a flaky carrier, a publisher.

A worker that imports this package starts them at a gentle pace. What they do is real, but small:
they write to a SQLite file and reports beside it, under the data directory.
"""

from __future__ import annotations

from dboshub.demo import carrier, checkout, heartbeat, items, pace, pipeline, publisher

__all__ = ["carrier", "checkout", "heartbeat", "items", "pace", "pipeline", "publisher"]
