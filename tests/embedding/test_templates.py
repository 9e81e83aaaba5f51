"""Our template engine and the project's know nothing of each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.template import TemplateSyntaxError, engines
from django.test import Client

from dboshub.workflows.rendering.page_templates import LIBRARIES, engine, render_to_string

pytestmark = pytest.mark.django_db


@pytest.fixture
def host_templates(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A template directory of the project's."""
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    engine.cache_clear()
    yield tmp_path
    engine.cache_clear()


@pytest.mark.parametrize("library", LIBRARIES)
def test_our_tag_libraries_are_unknown_to_engines_of_the_project(library: str) -> None:
    with pytest.raises(TemplateSyntaxError, match="is not a registered tag library"):
        engines["django"].from_string(f"{{% load {library} %}}")


def test_the_project_overrides_a_page_by_a_template_of_the_same_name(
    host_templates: Path, client: Client, make_user: Callable[..., Any]
) -> None:
    override = host_templates / "dboshub" / "components" / "_top.html"
    override.parent.mkdir(parents=True)
    override.write_text("{% load hub %}<header>The bakery {% icon 'x' %}</header>")
    client.force_login(make_user("ada", "dboshub_workflows.view_workflow"))
    page = client.get("/workflows/").content.decode()
    assert "<header>The bakery <svg" in page
    assert "live-state" not in page


def test_numbers_in_templates_follow_no_locale(settings: Any, host_templates: Path) -> None:
    settings.LANGUAGE_CODE, settings.USE_THOUSAND_SEPARATOR = "de", True
    (host_templates / "numbers.html").write_text("{{ large }} {{ part }}")
    assert render_to_string("numbers.html", {"large": 12345, "part": 1.5}) == "12345 1.5"
