"""A launched engine for these tests."""

from __future__ import annotations

from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]
