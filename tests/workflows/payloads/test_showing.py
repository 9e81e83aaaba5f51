"""The payload tags: a tree to fold, bounded, without anything a strict page forbids."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest

from dboshub.workflows.payloads import read
from dboshub.workflows.payloads.tree import Node
from dboshub.workflows.rendering.page_templates import engine

ATTACK = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7|add:7 }}\"'"


def shown(node: Node | None, tag: str = "payload node") -> str:
    page = engine().from_string("{% load payloads %}{% " + tag + " %}")
    return str(page.render({"node": node}))


def portable(value: object) -> Node:
    return read(json.dumps(value), "portable_json")


class Outline(HTMLParser):
    """Checks that every element is closed, and collects what matters."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.tags.append(tag)
        self.attributes |= {key for key, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_tree_folds_and_names_its_keys() -> None:
    page = Outline(shown(portable({"order": {"items": [1, 2]}})))
    assert page.tags.count("summary") == page.tags.count("details") == 4
    assert "order" in page.text
    assert "2 items" in page.text
    assert '"items": [\n' in page.text


@pytest.mark.parametrize("place", ["value", "key", "long", "error", "raw", "broken"])
def test_nothing_stored_becomes_markup(place: str) -> None:
    error = {"name": ATTACK, "message": ATTACK, "code": ATTACK, "data": {"stack": ATTACK}}
    node = {
        "value": portable([ATTACK]),
        "key": portable({ATTACK: 1}),
        "long": portable(ATTACK * 50),
        "error": portable(error),
        "raw": read(ATTACK, "fernet"),
        "broken": read(ATTACK, "portable_json"),
    }[place]
    page = Outline(shown(node) + shown(node, "payload_line node 200"))
    allowed = {"div", "details", "summary", "pre", "ul", "li", "code", "span", "em", "strong"}
    assert set(page.tags) <= allowed
    assert page.attributes <= {"class", "open", "tabindex"}
    assert "<script>" in page.text
    assert "{{ 7|add:7 }}" in page.text


def test_what_is_beyond_the_budget_is_counted() -> None:
    page = Outline(shown(portable(list(range(2_000))), "payload node 100"))
    assert "1,901 more not shown" in page.text
    assert "2,000 items" in page.text


def test_the_budget_is_of_the_whole_tree() -> None:
    page = shown(portable([[[n] * 50] * 50 for n in range(50)]))
    assert len(re.findall("<li>", page)) < 510


def test_a_long_text_is_folded_and_cut() -> None:
    page = Outline(shown(portable(["x" * 10_000, "two\nlines"])))
    assert "10,000 characters" in page.text
    assert "2,000 more characters" in page.text
    assert "two\nlines" in page.text


def test_many_long_texts_share_one_room() -> None:
    assert len(shown(portable(["x" * 8_000] * 60))) < 250_000


def test_a_failure_shows_its_message_and_traceback() -> None:
    data = {"name": "OrderError", "message": "no stock", "code": 4, "data": None}
    page = Outline(shown(portable(data)))
    assert "OrderError" in page.text
    assert "no stock" in page.text


def test_nothing_recorded_says_so() -> None:
    assert "Nothing recorded" in shown(None)


def test_a_line_is_one_line_and_bounded() -> None:
    page = Outline(shown(portable({"note": "two\nlines" * 50}), "payload_line node 40"))
    assert page.text.startswith('{"note": "two lines')
    assert len(page.text) == 40
