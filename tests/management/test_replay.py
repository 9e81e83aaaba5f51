"""What the command `replay` refuses, before it imports or reads anything it need not."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dboshub.workflows.connection import atomic
from tests.support.runs import add_workflow

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "Give bundles, or --from-database"),
        (["some.txt", "--from-database"], "Give bundles, or --from-database"),
        (["--from-database", "--newest", "0"], "at least 1"),
        (["--from-database", "--name", "nobody"], "Nothing is recorded"),
        (["--from-database", "--name", "ended", "--in-flight"], "Nothing is recorded"),
        (["gone.txt"], "No such file"),
        (["some.txt", "--module", "no_such_module_at_all"], "There is no module"),
    ],
)
def test_what_there_is_nothing_to_replay_of_is_an_error(words: list[str], said: str) -> None:
    with atomic() as session:
        add_workflow(session, "w", name="ended")
    with pytest.raises(CommandError, match=said):
        call_command("replay", *words)


def test_a_file_that_is_no_bundle_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nonsense")
    with pytest.raises(CommandError, match=r"notes.txt: this is not an export"):
        call_command("replay", str(tmp_path / "notes.txt"))
