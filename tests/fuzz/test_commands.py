"""Over rows that hold whatever the database takes, no command fails."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from dboshub.workflows.connection import atomic
from tests.fuzz.filling import WHOLE, Filled, fill
from tests.fuzz.seeds import seeded

pytestmark = pytest.mark.django_db

SHARE = 40


def test_no_row_breaks_a_command() -> None:
    random = seeded()
    with atomic() as session:
        filled = fill(session, random, is_short=True)
    failed = [f"{words}: {error!r}" for words in commands(filled) if (error := error_of(words))]
    assert failed == []


def commands(filled: Filled) -> Iterator[tuple[str, ...]]:
    for shown in ((), ("--json",)):
        yield ("workflow", "list", "--limit", "5000", *shown)
        yield ("queue", "list", *shown)
        yield ("schedule", "list", *shown)
        for name in ("get", "steps"):
            yield ("workflow", name, WHOLE, *shown)
    for workflow_id, _ in filled.ids()[::SHARE]:
        if workflow_id and not workflow_id.startswith("-") and "\0" not in workflow_id:
            yield ("workflow", "get", workflow_id)
            yield ("workflow", "steps", workflow_id)


def error_of(words: tuple[str, ...]) -> Exception | None:
    try:
        call_command(*words, stdout=StringIO(), stderr=StringIO())
    except CommandError:
        return None  # there is no such workflow, as it says
    except Exception as error:
        return error
    return None
