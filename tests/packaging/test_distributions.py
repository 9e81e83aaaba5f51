"""Wheel and sdist hold what Git holds of the package, the collected static files, and no more."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.packaging.building import LINKS, ROOT, contents, tracked_files

COLLECTED = "dboshub/standalone/collected/"
HASHED = re.compile(r"\.[0-9a-f]{12}(\.\w+)?(\.gz)?$")
FIXED = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE")
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text())
# A file of another kind is one that nobody meant to ship, or one to add here.
KINDS = {
    ".css",
    ".csv",
    ".gz",
    ".html",
    ".js",
    ".json",
    ".py",
    ".svg",
    ".txt",
    ".typed",
    ".woff2",
    "",
}


def package_files() -> set[str]:
    """What Git holds of the package, under the names that the links give."""
    found = set()
    for name in tracked_files():
        top = name.partition("/")[0]
        if top in LINKS:
            found.add(f"dboshub/{name}")
        elif top == "dboshub" and not (ROOT / name).is_symlink():
            found.add(name)
    return found


def test_the_wheel_holds_the_package_as_git_does(wheel: Path) -> None:
    held = {name for name in contents(wheel) if ".dist-info/" not in name}
    collected = {name for name in held if name.startswith(COLLECTED)}
    assert held - collected == package_files()
    assert {Path(name).suffix for name in held - collected} <= KINDS
    assert [name for name in held if re.search(r"(^|/)(tests?|conftest)(/|\.)", name)] == []


def test_the_wheel_has_one_package_and_its_metadata(wheel: Path) -> None:
    about = f"dboshub-{DECLARED['project']['version']}.dist-info"
    others = {name for name in contents(wheel) if not name.startswith("dboshub/")}
    assert others <= {f"{about}/{name}" for name in FIXED}


def test_the_collected_files_are_hashed_compressed_and_listed(wheel: Path) -> None:
    held = contents(wheel)
    with zipfile.ZipFile(wheel) as archive:
        paths = json.loads(archive.read(f"{COLLECTED}staticfiles.json"))["paths"]
    plain = {name.removeprefix("dboshub/static/") for name in held if "/static/" in name}
    assert set(paths) == plain
    listed = {f"{COLLECTED}{hashed}" for hashed in paths.values()}
    assert listed <= set(held)
    rest = {name for name in held if name.startswith(COLLECTED)} - listed
    assert rest == {f"{COLLECTED}staticfiles.json"} | {f"{name}.gz" for name in listed} & rest
    assert {name for name in listed if not HASHED.search(name)} == set()
    texts = {name for name in listed if name.endswith((".css", ".js", ".svg"))}
    assert {f"{name}.gz" for name in texts} <= rest


def test_the_sdist_builds_the_same_wheel(wheel: Path, sdist: Path, rebuilt: Path) -> None:
    first, second = contents(wheel), contents(rebuilt)
    differing = {each for each in {*first, *second} if first.get(each) != second.get(each)}
    assert not differing
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not {name for name in names if name.startswith(("tests/", "bench/", "scripts/"))}
    assert {"README.md", "LICENSE", "CHANGELOG.md", "setup.py", "pyproject.toml"} <= names


def test_every_range_admits_what_the_tests_run_with() -> None:
    optional = DECLARED["project"]["optional-dependencies"].values()
    lists = [DECLARED["project"]["dependencies"], DECLARED["build-system"]["requires"], *optional]
    for wanted in (Requirement(line) for lines in lists for line in lines):
        assert wanted.specifier.contains(version(wanted.name)), wanted
        assert any(each.operator == ">=" for each in wanted.specifier), f"{wanted}: lowest version"


@pytest.mark.parametrize("kind", ["Python", "Framework :: Django"])
def test_the_metadata_says_where_it_runs(wheel: Path, kind: str) -> None:
    about = Parser().parsestr(_read(wheel, "METADATA"))
    assert about["Version"] == DECLARED["project"]["version"]
    assert about["Requires-Python"] == ">=3.11"
    assert (
        _versions(about, kind)
        == {
            "Python": ["3.11", "3.12", "3.13", "3.14"],
            "Framework :: Django": ["5.2", "6.0", "6.1"],
        }[kind]
    )


def _versions(about: Message, kind: str) -> list[str]:
    told = about.get_all("Classifier") or []
    return [each.rpartition(" ")[2] for each in told if re.search(rf"{kind} :: \d\.\d+$", each)]


def _read(wheel: Path, name: str) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = [each for each in archive.namelist() if each.endswith(f".dist-info/{name}")]
        return archive.read(path).decode()
