"""What a stored error says: its class, its message, and where it was raised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from dboshub.workflows.payloads.exceptions import traceback
from dboshub.workflows.payloads.frames import raising_frame
from dboshub.workflows.payloads.redacted import readable
from dboshub.workflows.payloads.tree import Failure, Instance, Malformed, Node, Sequence, Truncated
from dboshub.workflows.selectors.failed_runs import MAX_ERROR_LENGTH, FailedRun
from dboshub.workflows.time_budget import is_spent

# Bytes of an error that are read: base64 has four characters per three bytes.
MAX_ERROR_BYTES = MAX_ERROR_LENGTH // 4 * 3 // 2
GAVE_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
WITHHELD, UNREADABLE, RECOVERED = "withheld", "unreadable", "recovered too often"
NOT_READ = "not read in time"


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """What a stored error says: its class (or why that is unknown), its message, and its frames."""

    kind: str
    message: str = ""
    frame: str = ""
    traceback: str = ""


def error_facts(failed: FailedRun, *, payload: bool) -> ErrorFacts:
    """What the error of a run says; without `payload` only that it is withheld."""
    if failed.row.status == GAVE_UP and failed.error is None:
        return ErrorFacts(RECOVERED)
    if not payload:
        return ErrorFacts(WITHHELD)
    if is_spent():
        return ErrorFacts(NOT_READ)
    return _said(failed.error, failed.row.serialization)


@lru_cache(maxsize=1_024)
def _said(text: str | None, serialization: str | None) -> ErrorFacts:
    # Cached, because a page is reloaded often and many runs fail with the same error.
    return _named(readable(text, serialization, limit=MAX_ERROR_BYTES))


def _named(node: Node | None) -> ErrorFacts:
    """Class, message and frames of an error, as far as they are readable."""
    match node:
        case Failure(class_name=name, message=message, state=state):
            trace = traceback(state)
            return ErrorFacts(name.removeprefix("builtins."), message, raising_frame(trace), trace)
        case Instance(class_name=name):
            return ErrorFacts(name.removeprefix("builtins."))
        case Truncated(node=inner) | Malformed(node=inner) if inner is not None:
            return _named(inner)
        case Sequence(kind="parts", items=(first, *_)):
            return _named(first)
    return ErrorFacts(UNREADABLE)
