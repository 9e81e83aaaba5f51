"""What can be said of an exception as text, whatever it holds and whatever its methods raise."""

from __future__ import annotations

import os
import traceback

MAX_MESSAGE = 100_000  # characters
MAX_FRAMES = 50
_ENGINE = os.path.dirname(__file__)


def storable(text: str) -> str:
    """The text with NUL and lone surrogates written as escapes, cut to MAX_MESSAGE characters."""
    left_out = len(text) - MAX_MESSAGE
    if left_out > 0:
        text = f"{text[:MAX_MESSAGE]}… ({left_out} characters left out)"
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def message_of(error: BaseException) -> str:
    """The message of an exception, or that its ``__str__`` fails; always storable."""
    try:
        return storable(str(error))
    except Exception as failure:
        return f"(its message cannot be shown: {type_of(failure)} in __str__)"


def type_of(error: BaseException) -> str:
    """The name of the exception's class; always storable."""
    return storable(type(error).__name__)


def summary(error: BaseException) -> str:
    """Type and message."""
    return f"{type_of(error)}: {message_of(error)}"


def traceback_of(error: BaseException) -> str | None:
    """The frames of user code in the exception's traceback; None if there are none."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_ENGINE)
    ]
    if not frames:
        return None
    text = "".join(traceback.format_list(frames[-MAX_FRAMES:]))
    return storable(f"Traceback (most recent call last):\n{text}".rstrip())


def as_text(error: BaseException, reason: BaseException) -> Exception:
    """An exception that any serializer of exceptions can keep, in place of one that it cannot.

    Its message is type and message of `error`; its notes are the traceback, and `reason`, for
    which `error` itself could not be recorded.
    """
    found = Exception(summary(error))
    frames = traceback_of(error)
    if frames is not None:
        found.add_note(frames)
    found.add_note(f"Recorded as text, because the exception could not be: {summary(reason)}")
    return found
