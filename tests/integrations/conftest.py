"""A launched engine for each test, and the spans that it leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.launched import config, dbos, launch
from tests.support.spans import Spans

__all__ = ["config", "dbos", "launch", "spans"]


@pytest.fixture
def spans() -> Iterator[Spans]:
    found = Spans.of_process()
    found.clear()
    yield found
    found.clear()
