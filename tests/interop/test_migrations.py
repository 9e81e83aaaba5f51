"""Either library creates the system tables; the other works on them and leaves what is there."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Run
from tests.interop.executors import OURS, THEIRS
from tests.support.shape import rows_of, shape_of


@pytest.mark.parametrize(("first", "second"), [(OURS, THEIRS), (THEIRS, OURS)])
def test_tables_one_made_serve_the_other_as_they_are(
    first: str, second: str, run: Run, database_url: str
) -> None:
    creator = run(first, name="creator", application_version="v1")
    creator.do("start", "every_call", "run-1")
    assert creator.do("result", "run-1") == "done"
    creator.stop()
    shape, rows = shape_of(database_url), rows_of(database_url)

    newcomer = run(second, name="newcomer", application_version="v2")
    assert shape_of(database_url) == shape
    found = rows_of(database_url)
    assert {
        table: [each for each in found[table] if each in kept] for table, kept in rows.items()
    } == rows
    newcomer.do("start", "every_call", "run-2")
    assert newcomer.do("result", "run-2") == "done"
    newcomer.stop()

    again = run(first, name="creator", application_version="v1")
    again.do("start", "every_call", "run-3")
    assert again.do("result", "run-3") == "done"
    assert shape_of(database_url) == shape
