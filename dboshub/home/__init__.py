"""The first page: what is wrong now, and how things went."""

from __future__ import annotations
