"""The host's durable workflows."""

from __future__ import annotations

from dboshub import DBOS


@DBOS.step()
def knead(loaf: str) -> str:
    return f"dough of {loaf}"


@DBOS.workflow()
def bake(loaf: str) -> str:
    return f"{knead(loaf)}, baked"


@DBOS.workflow()
def wait_for_oven(loaf: str) -> str:
    return f"{loaf}: {DBOS.recv('oven', timeout_seconds=600)}"
