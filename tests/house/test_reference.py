"""docs/reference.md lists every public name with its signature, and a test that knows it."""

from __future__ import annotations

import re

from scripts import reference

ADVICE = "run python -m scripts.reference"
ROW = re.compile(r"^\| (`[^`]+`(?: \*async\*)?) \| (?:\[\w+\]\(\.\./([^)]+)\))? ?\|", re.MULTILINE)


def listed() -> dict[str, str]:
    """The first column of the page, and the test module that each row names."""
    return dict(ROW.findall(reference.PAGE.read_text(encoding="utf-8")))


def test_every_public_name_is_listed_with_its_signature_and_no_other() -> None:
    assert set(listed()) == {reference.call(each) for each in reference.entries()}, ADVICE


def test_the_tests_that_the_page_names_know_what_they_are_named_for() -> None:
    rows = listed()
    for entry in reference.entries():
        path = rows[reference.call(entry)]
        assert not path or reference.mentions(entry, reference.ROOT / path), (entry.title, ADVICE)


def test_every_public_name_is_tested() -> None:
    untested = [entry.title for entry in reference.entries() if reference.tested_in(entry) is None]
    assert untested == []


def test_signatures_are_those_of_the_other_library_or_the_page_says_why_not() -> None:
    differing = {
        entry.title: told
        for entry in reference.entries()
        if entry.owner == "DBOS" and (told := reference.difference(entry))
    }
    told = reference.PAGE.read_text(encoding="utf-8")
    assert [each for each in differing if differing[each] not in told] == []
