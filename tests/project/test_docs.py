"""The documentation keeps up: settings, statuses, commands; and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md")])
APPS = ("dboshub", "workflows", "queues", "schedules")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


ROWS = re.compile(r"^\| `(DBOS(?:HUB)?_[A-Z_]+)`(?: \| [^|]* \| (yes)?)?", re.MULTILINE)


def test_every_environment_variable_is_documented_and_no_other() -> None:
    reading = re.compile(r'env\.\w+\(\s*"(\w+)"')
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    read = {name for path in files for name in reading.findall(path.read_text(encoding="utf-8"))}
    own = {name for name, process in ROWS.findall(_read("docs/settings.md")) if process}
    told = {name for name, _ in ROWS.findall(_read("docs/operating.md"))}
    assert read | own == told


def test_every_setting_of_a_django_project_is_documented_and_no_other() -> None:
    reader = _read("workflows/django_settings.py")
    reading = re.compile(r'(?:_text|_words|_flag|_number)\(\s*"(\w+)"|settings, "(DBOS\w+)"')
    read = {one or other for one, other in reading.findall(reader)}
    assert read == {name for name, _ in ROWS.findall(_read("docs/settings.md"))}


def test_every_status_is_in_the_state_machine() -> None:
    from dboshub.workflows.engine.records import Status

    page = _read("docs/state-machine.md")
    missing = [status for status in Status if f"| `{status}` |" not in page]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        path = page.parent / file if file else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(_anchor, headings), f"{page.name}: {target}"


def test_every_command_of_the_makefile_says_what_it_does() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.MULTILINE))
    helped = set(re.findall(r"^([a-z-]+):.*## ", _read("Makefile"), re.MULTILINE))
    assert targets - helped == {"venv", "dev"}
