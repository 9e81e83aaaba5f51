"""Importing a user's modules; what fails there is told by file and line, without our own frames."""

from __future__ import annotations

import pkgutil
import site
import sysconfig
import traceback
from difflib import get_close_matches
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
DEMO = PACKAGE / "demo"
# How much of a name must agree before another one is proposed.
ALIKE = 0.75


class ModuleImportError(Exception):
    """A module cannot be imported; the text says where and why, with the user's frames below."""


def import_user_module(name: str) -> None:
    """Import a module. Raises ModuleImportError for whatever goes wrong in it."""
    try:
        import_module(name)
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and _is_part(error.name, name):
            raise ModuleImportError(_not_found(name, str(error.name))) from error
        raise ModuleImportError(explained(name, error)) from error


def explained(name: str, error: Exception) -> str:
    """One sentence with file, line and error, then the lines of the user's own code."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}, line {error.lineno}"
        return f"Cannot import {name}: {place}: {said}\n{_syntax(error)}".rstrip()
    frames = own_frames(error)
    if not frames:
        return f"Cannot import {name}: {said}"
    place = f"{frames[-1].filename}, line {frames[-1].lineno}"
    lines = "".join(traceback.format_list(frames)).rstrip()
    return f"Cannot import {name}: {place}: {said}\n{lines}"


def own_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """The frames of the traceback in the user's code; those of libraries if there are no others."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen ") and not _is_ours(Path(frame.filename))
    ]
    return [frame for frame in frames if not _is_library(Path(frame.filename))] or frames


def _is_ours(file: Path) -> bool:
    file = file.resolve()
    if file.is_relative_to(DEMO):
        return False
    # In a checkout the packages' folders lie beside dboshub/, which links to them.
    ours = (PACKAGE, *(each.resolve() for each in PACKAGE.iterdir() if each.is_symlink()))
    return any(file.is_relative_to(each) for each in ours)


def _is_library(file: Path) -> bool:
    installed = sysconfig.get_paths()
    folders = {*site.getsitepackages(), installed["stdlib"], installed["purelib"]}
    return any(file.is_relative_to(folder) for folder in folders)


def _syntax(error: SyntaxError) -> str:
    lines = traceback.format_exception_only(error)
    return "".join(line for line in lines[:-1]).rstrip()


def _is_part(missing: str | None, name: str) -> bool:
    return missing is not None and (name == missing or name.startswith(f"{missing}."))


def _not_found(name: str, missing: str) -> str:
    """No such module: the nearest name that there is."""
    parent, _, leaf = missing.rpartition(".")
    near = get_close_matches(leaf, _modules_in(parent), n=1, cutoff=ALIKE)
    if near:
        found = f"{parent}.{near[0]}" if parent else near[0]
        return f"There is no module {missing!r}: did you mean {name.replace(missing, found, 1)!r}?"
    here = Path.cwd() / f"{leaf}.py"
    if not parent and (here.exists() or here.with_suffix("").is_dir()):
        return (
            f"There is no module {missing!r} on the Python path, but the current directory has "
            "one: set PYTHONPATH=."
        )
    where = f"in the package {parent!r}" if parent else "on the Python path"
    return f"There is no module {missing!r} {where}"


def _modules_in(parent: str) -> list[str]:
    if not parent:
        return [each.name for each in pkgutil.iter_modules()]
    spec = find_spec(parent)
    paths = spec.submodule_search_locations if spec else None
    return [each.name for each in pkgutil.iter_modules(paths)] if paths else []
