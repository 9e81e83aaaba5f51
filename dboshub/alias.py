"""Run programs that import ``dbos`` without changing them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

MODULES = {
    "dbos": "dboshub",
    "dbos.error": "dboshub.error",
    "dbos._error": "dboshub.error",
    "dbos._queue": "dboshub.queues.engine.queue",
}


class _RefusingFinder(MetaPathFinder):
    """Refuses imports of the modules of ``dbos`` that do not exist here, and says what to do."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith("dbos."):
            return None
        raise ModuleNotFoundError(
            f"there is no {fullname} since dboshub.install_as_dbos() was called: import public "
            "names from dbos, errors from dbos.error, and use manage.py for the commands of dbos",
            name=fullname,
        )


def install_as_dbos() -> None:
    """Make ``import dbos`` and ``from dbos import …`` find this package, in this process.

    Call it before anything imports ``dbos``. Raises RuntimeError if ``dbos`` is imported already,
    because its importers would keep using the other library. The modules ``dbos.error``,
    ``dbos._error`` and ``dbos._queue`` exist; importing another raises ModuleNotFoundError.
    """
    there = sys.modules.get("dbos")
    if there is not None and there is not sys.modules["dboshub"]:
        raise RuntimeError(
            "dbos is imported already: call dboshub.install_as_dbos() before anything imports it"
        )
    if there is None:
        sys.meta_path.insert(0, _RefusingFinder())
    for alias, name in MODULES.items():
        sys.modules[alias] = import_module(name)
