"""What pages show over time: counts, durations and depths by minute, in the hub's own tables.

One process holds the lease and replaces closed minutes from the system tables; nothing that
runs workflows ever writes here.
"""

from __future__ import annotations
