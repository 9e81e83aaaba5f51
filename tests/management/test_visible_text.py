"""A name that anybody may have written commands no terminal, forges no line of a log, and begins no
formula."""

from __future__ import annotations

import csv
import io
import json
import logging
import sys
import unicodedata
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from dboshub.exports.formats import lines
from dboshub.management.output import rendered
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.observability.log_lines import LineFormatter
from dboshub.workflows.engine.visible_text import visible, visible_json
from tests.support.runs import add_workflow

UNSEEN = (
    *("\x1b[2J", "\x9b2J", "\r", "\x00", "\x07", "\x7f", "\u202e", "\u2066", "\u200f", "\u061c"),
    *("\u2028", "\ufeff", "\ud800", "\U000e0041"),
)
NAME = "pay" + "".join(UNSEEN) + "\nWARNING forged"
SEEN = ("pay", "été", "日本", "🐒", "a\u200db", "a b")


def unseen_in(text: str, keep: str = "") -> set[str]:
    return {
        char
        for char in {*text} - {*keep}
        if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in "".join(UNSEEN[6:])
    }


def test_what_can_be_seen_stays() -> None:
    assert [visible(text) for text in SEEN] == [*SEEN]
    assert unseen_in(visible(NAME)) == set()
    assert visible("\x1b[2J\u202e\n") == "\\x1b[2J\\u202e\\n"


def test_json_keeps_its_value() -> None:
    value = {NAME: [NAME, 1, {"é": None}]}
    text = visible_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert unseen_in(text, keep="\n") == set()
    assert json.loads(text) == value


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("answer", [NAME, {"name": NAME}, {NAME: 1}, [{"name": NAME}], [NAME]])
def test_no_answer_of_a_command_commands_the_terminal(answer: Any, as_json: bool) -> None:
    assert unseen_in(rendered(answer, as_json=as_json), keep="\n\t") == set()


@pytest.mark.django_db
def test_commands_print_a_stored_name_with_escapes(capsys: Any) -> None:
    name = NAME.replace("\x00", "").replace("\ud800", "")
    with atomic() as session:
        add_workflow(session, "w", name=name, application_name=name)
    for verb in (["get", "w"], ["list"], ["list", "--json"]):
        call_command("workflow", *verb)
        printed = capsys.readouterr().out
        assert "pay" in printed
        assert unseen_in(printed, keep="\n\t") == set(), verb
    with pytest.raises(CommandError) as raised:
        call_command("workflow", "cancel", f"no\x1b[2J{name}")
    assert unseen_in(str(raised.value), keep="\n") == set()


def test_a_record_is_one_line_and_its_traceback_is_indented() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    try:
        raise ValueError(NAME)
    except ValueError:
        record = logging.LogRecord("x", 40, "f", 1, "failed: %s", (NAME,), sys.exc_info())
    handler.emit(record)
    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert first.startswith("ERROR failed: pay\\x1b[2J")
    assert unseen_in(stream.getvalue(), keep="\n\t") == set()
    assert rest
    assert all(line.startswith("  ") for line in rest)


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "  \n =1", "\u00a0=1"),
        *("\uff1d1", "\uff0b1", "\uff0d1", "\uff201", " \uff1d1", "\u3000=1", "\u22121"),
        *("\ufeff=1", "\u202e=1", "\x1b=1", "\x00=1"),
    ],
)
def test_no_cell_begins_a_formula(text: str) -> None:
    written = lines("csv", ["name"], [{"name": text}]).decode()
    [[cell]] = csv.reader(io.StringIO(written, newline=""))
    assert cell[0] in "'\\", cell
    assert unseen_in(cell, keep="\r\n\t") == set()


def test_other_cells_stay_as_they_are() -> None:
    values = ["a=b", "pay-out", "été", "3 + 4", "", 7, None]
    written = lines("csv", ["v"], [{"v": value} for value in values]).decode()
    assert [row[0] if row else "" for row in csv.reader(io.StringIO(written, newline=""))] == [
        *("a=b", "pay-out", "été", "3 + 4", "", "7", "")
    ]
    [line] = lines("ndjson", ["v"], [{"v": NAME}]).decode().splitlines()
    assert json.loads(line)["v"] == NAME
    assert unseen_in(line) == set()
