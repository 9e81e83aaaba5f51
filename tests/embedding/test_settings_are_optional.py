"""A project of somebody else's sets nothing of ours: every setting that is read has a default."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from django.conf import global_settings

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("dboshub", "workflows", "queues", "schedules")
# The one module that reads what Django does not define.
READER = "workflows/django_settings.py"
# The standalone dashboard is a project, and reads its own settings.
OWN_PROJECT = ("dboshub/settings.py", "dboshub/standalone/")


def modules() -> list[str]:
    found = [path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*.py")]
    # dboshub/workflows and its like are links to the folders that are listed themselves.
    return sorted(str(path) for path in found if path.parts[:1] != ("dboshub",) or not linked(path))


def linked(path: Path) -> bool:
    return (ROOT / "dboshub" / path.parts[1]).is_symlink()


def names_of_settings(tree: ast.Module) -> set[str]:
    """The names under which a module knows ``django.conf.settings``."""
    return {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "django.conf"
        for alias in node.names
        if alias.name == "settings"
    }


def reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of each setting that is read, whether as an attribute or by getattr.

    What is not in capitals is no setting: other things are called settings as well.
    """
    return ((line, name) for line, name in _reads(tree) if name.isupper())


def _reads(tree: ast.Module) -> Iterator[tuple[int, str]]:
    known = names_of_settings(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in known:
                yield node.lineno, name
            case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[ast.Name(id=owner), *_]):
                if owner in known:
                    yield node.lineno, ast.unparse(node.args[1]).strip("'\"")


def test_a_module_reads_only_what_django_has_a_default_for() -> None:
    missing = [
        f"{module}:{line} reads settings.{name}: read it through {READER}"
        for module in modules()
        if not module.startswith((READER, *OWN_PROJECT))
        for line, name in reads(ast.parse((ROOT / module).read_text(encoding="utf-8")))
        if not hasattr(global_settings, name)
    ]
    assert not missing, "\n".join(missing)


def test_the_reader_gives_every_setting_a_default() -> None:
    tree = ast.parse((ROOT / READER).read_text(encoding="utf-8"))
    bare = [
        name
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        for name in [node.attr]
        if node.value.id == "settings" and not hasattr(global_settings, name)
    ]
    assert not bare, f"without a default: {bare}"


def test_reads_are_found_however_they_are_written() -> None:
    tree = ast.parse(
        "from django.conf import settings as ours\n"
        "print(ours.DBOSHUB_X, getattr(ours, 'DBOSHUB_Y', None))\n"
    )
    assert sorted(reads(tree)) == [(2, "DBOSHUB_X"), (2, "DBOSHUB_Y")]
