"""The host's app that is itself called workflows; one of its workflows is declared right here."""

from __future__ import annotations

from dboshub import DBOS


@DBOS.workflow()
def close_shop() -> str:
    return "the shop is closed"
