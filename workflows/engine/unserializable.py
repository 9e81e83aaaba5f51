"""Find the part of a value that cannot be serialized, and name it in the error.

This runs only after a serializer has failed. It tries the parts of the value until it finds the
innermost one that fails.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

MAX_DEPTH = 30
MAX_TRIES = 5_000
ADVICE = (
    "Pass plain data, or instances of classes defined at the top of a module; open files, "
    "connections, locks and lambdas cannot leave the process: create them where they are used."
)
# Errors with their text as only argument: the sentence is added to it.
_PLAIN = (TypeError, ValueError, AttributeError, pickle.PicklingError)


@dataclass(frozen=True, slots=True)
class Subject:
    """The serialized value as the error names it: ``the result`` of ``step 'charge'``."""

    role: str  # "the result", "event 'stage'"
    owner: str = ""  # "workflow 'order'"
    root: str = "value"  # what a path into it begins with

    def __str__(self) -> str:
        return f"{self.role} of {self.owner}" if self.owner else self.role


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of a call; `parameters` gives their names if the function is registered."""

    owner: str
    parameters: Callable[[], Sequence[str]] = tuple

    def subject(self, key: str | int) -> Subject:
        """The argument at a position or with a name."""
        names = self.parameters() if isinstance(key, int) else ()
        if isinstance(key, int) and key < len(names):
            key = names[key]
        if isinstance(key, str):
            return Subject(f"argument {key!r}", self.owner, key)
        return Subject(f"argument {key + 1}", self.owner)


@lru_cache(maxsize=1_024)
def result_of(kind: str, name: str) -> Subject:
    """The result of a step, a transaction or a workflow of this name."""
    return Subject("the result", f"{kind} {name!r}")


A_VALUE = Subject("a value")
A_CALL = Arguments("a call")
Serialize = Callable[[Any], Any]


def explain_arguments(
    error: Exception,
    call: tuple[Sequence[Any], Mapping[str, Any]],
    arguments: Arguments,
    serialize: Serialize,
    format_name: str,
) -> None:
    """Add the argument that causes an error of the serializer to that error."""
    args, kwargs = call
    given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for key, value in given:
        if _fails(serialize, value):
            explain(error, value, arguments.subject(key), serialize, format_name)
            return
    explain(error, call, Subject("the arguments", arguments.owner), serialize, format_name)


def explain(
    error: Exception, value: Any, subject: Subject, serialize: Serialize, format_name: str
) -> None:
    """Add the subject, and the part of it that causes an error of the serializer, to that error."""
    if isinstance(error, RecursionError):
        _complete(error, f"{subject} is nested too deeply to be recorded as {format_name}.")
        return
    path, part = _culprit(value, serialize, has_attributes=format_name != "portable_json")
    what = f"{subject} is of type {type_name(part)}"
    if path:
        what = f"{subject} holds a value of type {type_name(part)} at {subject.root}{path}"
    _complete(error, f"{what}, which cannot be recorded as {format_name}. {ADVICE}")


def type_name(value: Any) -> str:
    """The type of a value as it is imported; of a function, its name."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else _qualified(kind)
    own = getattr(value, "__qualname__", None)
    return f"{name} ({own})" if callable(value) and isinstance(own, str) else name


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _complete(error: Exception, sentence: str) -> None:
    if isinstance(error, _PLAIN) and len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]}: {sentence}",)
    else:
        error.add_note(sentence)


def _culprit(value: Any, serialize: Serialize, *, has_attributes: bool) -> tuple[str, Any]:
    """The path to the innermost part that fails, and that part."""
    path, tries = "", 0
    for _ in range(MAX_DEPTH):
        for step, part in _parts(value, has_attributes=has_attributes):
            tries += 1
            if tries > MAX_TRIES:
                return path, value
            if _fails(serialize, part):
                path, value = path + step, part
                break
        else:
            return path, value
    return path, value


def _fails(serialize: Serialize, value: Any) -> bool:
    try:
        serialize(value)
    except Exception:
        return True
    return False


def _parts(value: Any, *, has_attributes: bool) -> Iterator[tuple[str, Any]]:
    """The parts of a container, each with its access as Python writes it."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield f"[{key!r:.60}]", part
    elif isinstance(value, list | tuple):
        for at, part in enumerate(value):
            yield f"[{at}]", part
    elif isinstance(value, set | frozenset):
        for part in value:
            yield "{…}", part
    elif has_attributes and not isinstance(value, type) and not callable(value):
        for name, part in getattr(value, "__dict__", {}).items():
            yield f".{name}", part
