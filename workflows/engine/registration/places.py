"""Marks of decorated functions, the places of definitions, and whether two are the same."""

from __future__ import annotations

import inspect
from types import CellType, FunctionType
from typing import Any

# Attributes of what our decorators return, which hold the registration.
WORKFLOW_MARK = "__dboshub_workflow__"
STEP_MARK = "__dboshub_step__"
CLASS_MARK = "__dboshub_class__"
FUNCTION_NAME = "dbos_function_name"  # the attribute that programs for dbos read it from

_UNASSIGNED = object()
_VALUES = (bool, int, float, str, bytes)


def plain(attribute: Any) -> Any:
    """The function of a method, a static method or a class method; else the attribute itself."""
    return getattr(attribute, "__func__", attribute)


def place(defined: Any) -> str:
    """Module, name, file and line of a function or a class, for messages."""
    module = getattr(defined, "__module__", None)
    name = getattr(defined, "__qualname__", None) or repr(defined)[:100]
    code = getattr(inspect.unwrap(defined), "__code__", None)
    if code is not None:
        where = f" ({code.co_filename}:{code.co_firstlineno})"
    else:
        where = _place_of_class(defined)
    return f"{module}.{name}{where}"


def is_same_module(first: Any, second: Any) -> bool:
    """Whether both are defined in one module, or in one file that is imported by two names."""
    if first.__module__ == second.__module__:
        return True
    try:
        return inspect.getfile(first) == inspect.getfile(second)
    except (OSError, TypeError):
        return False


def has_same_code(first: Any, second: Any) -> bool:
    """Whether one definition made both functions."""
    code = getattr(first, "__code__", None)
    return code is not None and code == getattr(second, "__code__", None)


def is_same_function(first: Any, second: Any) -> bool:
    """Whether two functions run alike: one code, with the same defaults and closure.

    So it is if a module is imported again, or an unchanged definition is executed again.
    """
    return _is_same(first, second, set())


def _is_same(first: Any, second: Any, under_way: set[tuple[int, int]]) -> bool:
    first, second = _undecorated(first), _undecorated(second)
    pair = (id(first), id(second))
    if first is second or pair in under_way:
        return True
    if type(first) in _VALUES and type(first) is type(second):
        return bool(first == second)
    if not isinstance(first, FunctionType) or not has_same_code(first, second):
        return False
    under_way.add(pair)
    mine, theirs = _kept(first), _kept(second)
    return len(mine) == len(theirs) and all(
        _UNASSIGNED is one or _UNASSIGNED is other or _is_same(one, other, under_way)
        for one, other in zip(mine, theirs, strict=True)
    )


def _kept(function: FunctionType) -> list[Any]:
    """The values that a function holds besides its globals, in a fixed order."""
    by_name = sorted((function.__kwdefaults__ or {}).items())
    cells = [_content(cell) for cell in function.__closure__ or ()]
    return [*cells, *(function.__defaults__ or ()), *(value for _, value in by_name)]


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _UNASSIGNED  # a name that is assigned after the function is defined


def _undecorated(value: Any) -> Any:
    """The user's function in what ``@DBOS.workflow()`` or ``@DBOS.step()`` returned."""
    is_decorated = isinstance(value, FunctionType) and (
        hasattr(value, WORKFLOW_MARK) or hasattr(value, STEP_MARK)
    )
    return value.__wrapped__ if is_decorated else value


def _place_of_class(defined: Any) -> str:
    try:
        file = inspect.getfile(defined)
        line = inspect.getsourcelines(defined)[1]
    except (OSError, TypeError):
        return ""
    return f" ({file}:{line})"
