"""The message and the traceback of a recorded exception."""

from __future__ import annotations

from collections.abc import Iterator

from dboshub.workflows.payloads.inline import cut, inline, listed, pieces
from dboshub.workflows.payloads.tree import Mapping, Node, Scalar, Sequence

MAX_MESSAGE = 400
MAX_TRACEBACK = 65_536
MAX_NOTES = 100
TRACEBACK_KEYS = frozenset({"__notes__", "traceback", "stack", "stackTrace", "stack_trace"})


def message(name: str, args: tuple[Node, ...]) -> str:
    """The text that ``str`` gives for an exception without its own ``__str__``."""
    if not args:
        return ""
    if name.rpartition(".")[2] == "DBOSMaxStepRetriesExceeded":
        match args:
            case Scalar(text=step), Scalar(text=attempts), Sequence(items=errors):
                return cut(_exhausted(step, attempts, errors), MAX_MESSAGE)
    first = args[0]
    if len(args) == 1 and name != "builtins.KeyError":
        return first.text if isinstance(first, Scalar) else inline(first, MAX_MESSAGE)
    second = args[1] if len(args) > 1 else None
    match first, second:
        case Scalar(kind="int", text=number), Scalar(text=text) if name.startswith("builtins."):
            return f"[Errno {number[:MAX_MESSAGE]}] {text[:MAX_MESSAGE]}"
    return cut(listed(args), MAX_MESSAGE)


def _exhausted(step: str, attempts: str, errors: tuple[Node, ...]) -> Iterator[str]:
    yield f"Step {step[:MAX_MESSAGE]} failed {attempts[:MAX_MESSAGE]} times"
    if errors:
        yield ", at last with "
        yield from pieces(errors[-1])


def traceback(state: Node | None) -> str:
    """The traceback of an exception: from its notes, or from the fields of other languages."""
    if not isinstance(state, Mapping):
        return ""
    found: list[str] = []
    for key, value in state.items[:MAX_NOTES]:
        if isinstance(key, Scalar) and key.text in TRACEBACK_KEYS:
            lines = value.items[:MAX_NOTES] if isinstance(value, Sequence) else (value,)
            found += [line.text[:MAX_TRACEBACK] for line in lines if isinstance(line, Scalar)]
    return "\n".join(found)[:MAX_TRACEBACK]
