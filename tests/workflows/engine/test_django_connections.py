"""Django's connections in engine threads: opened by a step, not kept while the workflow waits."""

from __future__ import annotations

import pytest
from django.db import connection

from dboshub import DBOS


@DBOS.step(name="django.opens")
def opens() -> bool:
    connection.ensure_connection()
    return connection.connection is not None


@DBOS.workflow(name="django.looks")
def looks() -> tuple[bool, bool]:
    return opens(), connection.connection is not None


@pytest.mark.django_db(transaction=True)
def test_a_step_leaves_no_connection_open(dbos: type[DBOS]) -> None:
    assert DBOS.start_workflow(looks).get_result() == (True, False)
