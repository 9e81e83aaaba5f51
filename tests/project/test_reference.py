"""docs/reference.md lists every public name with its signature, and a test that knows it."""

from __future__ import annotations

import re

import pytest

import dboshub
from scripts import reference
from scripts.differences import REASONS, missing

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
    untested = [entry.title for entry in reference.entries() if not reference.is_tested(entry)]
    assert untested == []


def test_whatever_differs_from_the_other_library_says_why() -> None:
    pytest.importorskip("dbos")
    text = reference.PAGE.read_text(encoding="utf-8")
    entries = [each for each in reference.entries() if each.difference]
    assert [each.title for each in entries if not each.reason] == []
    said = [f"| {each.difference} | {each.reason} |" for each in entries]
    assert [each for each in said if each not in text] == [], ADVICE


def test_no_reason_is_given_for_what_does_not_differ() -> None:
    pytest.importorskip("dbos")
    differing = {
        key for each in reference.entries() if each.difference for key in (each.title, each.name)
    }
    assert set(REASONS) <= differing


def test_no_name_of_the_other_library_is_missing() -> None:
    pytest.importorskip("dbos")
    assert missing("", {*dboshub.__all__}) == set()
    for owner in reference.CLASSES:
        assert missing(owner, {*dir(getattr(dboshub, owner))}) == set(), owner
