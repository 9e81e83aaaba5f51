"""Rollups: counts, durations and queue depths by minute and hour, in the hub's own tables.

The process that holds the lease counts closed minutes from the system tables. Executors never
write rollups.
"""

from __future__ import annotations
