"""Statements on Django's connection: the engine's own, in the caller's transaction."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from dboshub.workflows.connection import atomic, reading
from dboshub.workflows.models import Workflow
from dboshub.workflows.storage.sql import Statement

pytestmark = pytest.mark.django_db

COUNT = Statement("SELECT COUNT(*) FROM {workflow_status} WHERE name LIKE '%' || :part || '%'")
HOLDS = Statement(
    postgres="SELECT COUNT(*) FROM {workflow_status} WHERE strpos(name, :part) > 0",
    sqlite="SELECT COUNT(*) FROM {workflow_status} WHERE instr(name, :part) > 0",
)
RENAME = Statement(
    postgres="UPDATE {workflow_status} SET name = :name WHERE workflow_uuid = ANY(:ids)",
    sqlite="""
        UPDATE {workflow_status} SET name = :name
        WHERE workflow_uuid IN (SELECT value FROM json_each(:ids))
    """,
)


@pytest.fixture(autouse=True)
def three_workflows() -> None:
    for name in ("a%b", "100 %s", "plain"):
        Workflow.objects.create(workflow_uuid=f"id of {name}", name=name)


@pytest.mark.parametrize(("part", "found"), [("%", 2), ("%s", 1), ("plain", 1), ("'; --", 0)])
def test_percent_signs_are_text_in_statements_and_in_values(part: str, found: int) -> None:
    with reading() as session:
        assert session.one(HOLDS, part=part) == (found,)
        assert session.one(COUNT, part="plain") == (1,)


def test_a_list_of_ids_is_one_parameter_and_rows_touched_are_counted() -> None:
    with atomic() as session:
        ids = session.ids(["id of a%b", "id of plain", "nobody"])
        assert session.run(RENAME, ids=ids, name="renamed") == 2
        assert session.run(RENAME, ids=session.ids([]), name="renamed") == 0

    assert Workflow.objects.filter(name="renamed").count() == 2


def rename_and_fail() -> None:
    with atomic() as session:
        session.run(RENAME, ids=session.ids(["id of plain"]), name="renamed")
        Group.objects.create(name="written with it")
        raise RuntimeError


def test_what_a_session_writes_rolls_back_with_the_rest_of_the_transaction() -> None:
    with pytest.raises(RuntimeError):
        rename_and_fail()

    assert not Workflow.objects.filter(name="renamed").exists()
    assert not Group.objects.filter(name="written with it").exists()


def test_a_session_is_a_savepoint_within_the_transaction_of_its_caller() -> None:
    with transaction.atomic():
        Group.objects.create(name="kept")
        with pytest.raises(RuntimeError):
            rename_and_fail()

    assert Group.objects.filter(name="kept").exists()
    assert not Workflow.objects.filter(name="renamed").exists()
