"""A launched engine, as for the tests of the engine."""

from __future__ import annotations

from tests.support.launched import config, dbos, launch

__all__ = ["config", "dbos", "launch"]
