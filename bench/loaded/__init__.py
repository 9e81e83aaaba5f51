"""A hub with hundreds of open pages: a server that counts, its data, pages without a browser."""

from __future__ import annotations

# In the hub's data directory: a line for each tick of its watcher.
TICKS = "ticks.jsonl"
