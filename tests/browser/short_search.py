"""The hub with searches that end after their first rows, so that pages ask for the rest."""

from __future__ import annotations

from dboshub.standalone.asgi import application
from dboshub.workflows.views import list_part

list_part.PAGE_S = list_part.PART_S = -1
list_part.PART_CHUNK = 51 * 4

__all__ = ["application"]
