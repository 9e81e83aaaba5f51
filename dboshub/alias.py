"""Running programs that import ``dbos``, unchanged."""

from __future__ import annotations

import sys

MODULES = {"dbos": "dboshub", "dbos.error": "dboshub.error"}


def install_as_dbos() -> None:
    """Let ``import dbos`` and ``from dbos import …`` find this package, in this process.

    Call it before anything imports ``dbos``. Raises RuntimeError if that has happened, because
    what was imported would go on with the other library.
    """
    there = sys.modules.get("dbos")
    if there is not None and there is not sys.modules["dboshub"]:
        raise RuntimeError(
            "dbos is imported already: call dboshub.install_as_dbos() before anything imports it"
        )
    for alias, name in MODULES.items():
        sys.modules[alias] = sys.modules[name]
