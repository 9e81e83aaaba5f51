"""For programs of a Django project that run workflows themselves: its settings as a configuration.

DBOS(config=configuration())
DBOS.launch()
"""

from __future__ import annotations

from dboshub.runtime.worker_setup import configuration

__all__ = ["configuration"]
