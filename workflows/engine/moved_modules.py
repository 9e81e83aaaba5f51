"""Pickles of every version: the classes that they name are found where they are now."""

from __future__ import annotations

import importlib
import pickle
from typing import Any

# Modules that pickles of version 0.1.0 name, and the modules that define their classes now.
MOVED_MODULES = {
    "workflows.engine.errors": "dboshub.workflows.engine.errors",
    "workflows.engine.records": "dboshub.workflows.engine.records",
    "workflows.engine.status": "dboshub.workflows.engine.status",
    "workflows.engine.context": "dboshub.workflows.engine.context",
    "workflows.engine.handles": "dboshub.workflows.engine.handles",
    "workflows.engine.ports": "dboshub.workflows.engine.ports",
    "workflows.engine.serialization": "dboshub.workflows.engine.serialization",
    "workflows.engine.sending": "dboshub.workflows.engine.operations.sending",
    "workflows.storage.bundles": "dboshub.workflows.storage.control.export_format",
    "workflows.storage.fork": "dboshub.workflows.storage.control.fork",
    "workflows.storage.schema.errors": "dboshub.workflows.storage.schema.errors",
    "schedules.engine.records": "dboshub.schedules.engine.records",
}


class RecordUnpickler(pickle.Unpickler):
    """Reads pickles of every version: it finds a class that has moved.

    If the application has a module with one of our old names, its own classes are found there.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in MOVED_MODULES:
            found = getattr(importlib.import_module(MOVED_MODULES[module]), name, None)
            if found is not None:
                return found
        try:
            return super().find_class(module, name)
        except AttributeError as error:
            if module != "__main__":
                raise
            raise AttributeError(
                f"{name} was defined in a script that wrote the value (__main__), and this is "
                "another program: define it in a module that both import"
            ) from error
