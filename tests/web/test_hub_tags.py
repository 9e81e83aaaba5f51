"""What the shared tags say: statuses, icons, times and durations."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dboshub.workflows.engine.records import Status
from dboshub.workflows.rendering import time_format
from dboshub.workflows.rendering.page_templates import engine
from dboshub.workflows.statuses import STATUS_STYLES, status_style

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def render(source: str, **values: object) -> str:
    return str(engine().from_string("{% load hub %}" + source).render(values))


def test_every_status_has_a_look_and_every_look_is_drawn() -> None:
    assert set(STATUS_STYLES) == {str(status) for status in Status}
    sprite = (ROOT / "static/dboshub/img/icons.svg").read_text()
    tokens = (ROOT / "static/dboshub/css/tokens.css").read_text()
    for each in (*STATUS_STYLES.values(), status_style("NEWER")):
        assert f'id="{each.icon}"' in sprite
        assert f".{each.css}" in tokens


def test_every_icon_the_templates_name_is_in_the_sprite() -> None:
    sprite = (ROOT / "static/dboshub/img/icons.svg").read_text()
    named = {
        name
        for path in (ROOT / "templates").rglob("*.html")
        for name in re.findall(r'{% icon "([\w-]+)"', path.read_text())
    }
    assert named
    assert not {name for name in named if f'id="{name}"' not in sprite}


def test_a_status_is_an_icon_a_word_and_its_token() -> None:
    pill = render("{% status token %}", token="MAX_RECOVERY_ATTEMPTS_EXCEEDED")
    assert "Gave up" in pill
    assert "#skull" in pill
    assert "MAX_RECOVERY_ATTEMPTS_EXCEEDED" in pill


def test_a_status_of_a_newer_version_keeps_its_name_and_no_markup() -> None:
    pill = render("{% status token %}", token="<b>ODD")
    assert "&lt;b&gt;ODD" in pill
    assert "<b>" not in pill


def test_an_icon_is_decoration_unless_it_has_a_label() -> None:
    assert 'aria-hidden="true"' in render('{% icon "clock" %}')
    labelled = render('{% icon "clock" label %}', label='"><script>')
    assert 'role="img"' in labelled
    assert "<script>" not in labelled


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (0, "just now"),
        (999, "just now"),
        (1_000, "1 s ago"),
        (59_999, "59 s ago"),
        (60_000, "1 min ago"),
        (7_199_999, "1 h ago"),
        (172_800_000, "2 d ago"),
        (-90_000, "in 1 min"),
    ],
)
def test_a_time_is_its_distance_from_now(distance: int, words: str) -> None:
    assert words in render("{% when ms now %}", ms=NOW - distance, now=NOW)


def test_a_time_is_also_the_time_of_day_and_in_full() -> None:
    shown = render("{% when ms now %}", ms=NOW + 3_661_250, now=NOW)
    assert 'datetime="2026-01-01T01:01:01.250Z"' in shown
    assert 'title="2026-01-01 01:01:01.250 UTC"' in shown
    assert ">01:01:01<" in shown
    assert ">31 Dec 2025 23:59<" in render("{% when ms now %}", ms=NOW - 1, now=NOW)


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (4_210, "4.21 s"),
        (200_000, "3 min 20 s"),
        (3_600_000, "1 h"),
        (187_200_000, "2 d 4 h"),
        (-5, "0 ms"),
    ],
)
def test_a_duration_has_two_units_at_most(ms: int, words: str) -> None:
    assert f">{words}<" in render("{% duration ms %}", ms=ms)


@pytest.mark.parametrize("tag", ["when", "moment", "duration", "since", "distance"])
def test_what_did_not_happen_is_a_dash(tag: str) -> None:
    assert "\N{EN DASH}" in render(f"{{% {tag} nothing %}}", nothing=None)


@given(ms=st.integers(-(2**63), 2**63 - 1))
def test_no_number_in_a_time_column_breaks_a_page(ms: int) -> None:
    for tag in ("when", "moment", "duration", "since", "distance"):
        assert render(f"{{% {tag} ms %}}", ms=ms)
    assert time_format.iso(ms).endswith("Z")
