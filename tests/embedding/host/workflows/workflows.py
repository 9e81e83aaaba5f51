"""Workflows of the host's app that is itself called workflows."""

from __future__ import annotations

from dboshub import DBOS


@DBOS.workflow()
def open_shop() -> str:
    return "the shop is open"
