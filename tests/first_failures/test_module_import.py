"""An error in a user's module is told by file and line, with the user's own lines alone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dboshub.runtime.module_import import ModuleImportError, import_user_module

ROOT = Path(__file__).resolve().parents[2]
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module of a package `shop_first` and return its file."""
    package = tmp_path / "shop_first"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> Path:
        file = package / f"{name}.py"
        file.write_text(textwrap.dedent(text))
        return file

    yield write
    for module in [name for name in sys.modules if name.startswith("shop_first")]:
        del sys.modules[module]


def told(name: str) -> list[str]:
    with pytest.raises(ModuleImportError) as raised:
        import_user_module(name)
    return str(raised.value).splitlines()


def test_a_missing_dependency_is_told_by_file_and_line(write: Write) -> None:
    file = write("workflows", "import json\n\nimport requets\n")
    assert told("shop_first.workflows") == [
        f"Cannot import shop_first.workflows: {file}, line 3: "
        "ModuleNotFoundError: No module named 'requets'",
        f'  File "{file}", line 3, in <module>',
        "    import requets",
    ]


def test_a_syntax_error_shows_its_line(write: Write) -> None:
    file = write("workflows", "def order(:\n    pass\n")
    first, *rest = told("shop_first.workflows")
    assert first.startswith(f"Cannot import shop_first.workflows: {file}, line 1: SyntaxError: ")
    assert "def order(:" in "\n".join(rest)
    assert len(rest) < 5


def test_any_exception_names_the_line_that_raised_it(write: Write) -> None:
    helper = write("prices", "def cents(text):\n    return int(text)\n")
    file = write("workflows", "from shop_first.prices import cents\n\nTEA = cents('a lot')\n")
    first, *rest = told("shop_first.workflows")
    assert first == (
        f"Cannot import shop_first.workflows: {helper}, line 2: ValueError: invalid literal for "
        "int() with base 10: 'a lot'"
    )
    shown = [line for line in rest if line.startswith("  File")]
    assert shown == [
        f'  File "{file}", line 3, in <module>',
        f'  File "{helper}", line 2, in cents',
    ]


def test_frames_of_libraries_are_left_out(write: Write) -> None:
    file = write("workflows", "import json\n\nTERMS = json.loads('{torn')\n")
    first, *rest = told("shop_first.workflows")
    assert f"{file}, line 3: JSONDecodeError: " in first
    assert [line for line in rest if "File" in line] == [f'  File "{file}", line 3, in <module>']


def test_our_own_frames_are_left_out(write: Write) -> None:
    file = write(
        "workflows",
        """
        from dboshub import DBOS, SetEnqueueOptions

        SetEnqueueOptions(priority=0)
        """,
    )
    first, *rest = told("shop_first.workflows")
    assert f"{file}, line 4: DBOSException: " in first
    assert [line for line in rest if "File" in line] == [f'  File "{file}", line 4, in <module>']


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "shop_first.workflos",
            "There is no module 'shop_first.workflos': did you mean 'shop_first.workflows'?",
        ),
        (
            "shop_frist.workflows",
            "There is no module 'shop_frist': did you mean 'shop_first.workflows'?",
        ),
        ("shop_first.zzz", "There is no module 'shop_first.zzz' in the package 'shop_first'"),
        ("qqqqqq", "There is no module 'qqqqqq' on the Python path"),
    ],
)
def test_a_module_that_is_not_there_is_compared_with_those_that_are(
    name: str, sentence: str, write: Write
) -> None:
    write("workflows", "")
    assert told(name) == [sentence]


def test_a_module_beside_the_command_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "jobs_of_mine.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    assert told("jobs_of_mine") == [
        "There is no module 'jobs_of_mine' on the Python path, but the current directory has one: "
        "set PYTHONPATH=."
    ]


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("shop_first.workflows", "workflows.py, line 1: ModuleNotFoundError: No module named"),
        ("shop_first.workflos", "There is no module 'shop_first.workflos': did you mean"),
    ],
)
def test_a_worker_ends_with_the_sentence(
    option: str, sentence: str, write: Write, database_url: str, tmp_path: Path
) -> None:
    from dboshub import run_dbos_database_migrations

    run_dbos_database_migrations(database_url)
    write("workflows", "import requets\n")
    environment = os.environ | {
        "DBOS_SYSTEM_DATABASE_URL": database_url,
        "DBOSHUB_DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "dboshub.settings",
        "PYTHONPATH": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "runworkers", "--import", option],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "site-packages" not in done.stderr
    assert len(done.stderr.splitlines()) < 5
