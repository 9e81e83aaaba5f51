"""Serialization of values to text and back, in the formats that DBOS libraries share.

``py_pickle`` (the default) is a pickle in base64. ``portable_json`` is read by every language. A
custom Serializer has a name of its own. Only executors decode: web pages never call this module.
"""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any

from dboshub.workflows.engine import unserializable
from dboshub.workflows.engine.error_text import as_text, traceback_of
from dboshub.workflows.engine.errors import PortableWorkflowError
from dboshub.workflows.engine.moved_modules import RecordUnpickler
from dboshub.workflows.engine.portable_json import portable, portable_error
from dboshub.workflows.engine.unserializable import A_CALL, A_VALUE, Arguments, Subject

PICKLE = "py_pickle"
PORTABLE = "portable_json"
# SQLite keeps a billion bytes, and PostgreSQL a gibibyte; a character has up to four bytes.
MAX_CHARACTERS = 250_000_000
AN_ERROR = Subject("the error")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class WorkflowSerializationFormat(str, Enum):  # noqa: UP042  # its text has its class, as in dbos
    """The format that a workflow or a call writes: portable, or that of this language."""

    PORTABLE = "portable"
    NATIVE = "native"
    DEFAULT = "None"


class UnknownFormatError(TypeError, ValueError):
    """This process has no serializer for the format of a payload."""


class Serializer(ABC):
    """Converts values to text and back. Give one to ``DBOSConfig`` to replace pickle."""

    @abstractmethod
    def serialize(self, data: Any) -> str: ...

    @abstractmethod
    def deserialize(self, serialized_data: str) -> Any: ...

    def name(self) -> str:
        """The format name that the ``serialization`` column holds for this serializer."""
        return "custom_serializer"


class DefaultSerializer(Serializer):
    """Pickle as base64 text. A picklable value is restored unchanged."""

    def serialize(self, data: Any) -> str:
        return binascii.b2a_base64(pickle.dumps(data), newline=False).decode("ascii")

    def deserialize(self, serialized_data: str) -> Any:
        return RecordUnpickler(io.BytesIO(base64.b64decode(serialized_data))).load()

    def name(self) -> str:
        return PICKLE


class DBOSPortableJSONSerializer(Serializer):
    """Compact JSON that the DBOS libraries of all languages read."""

    def serialize(self, data: Any) -> str:
        text = json.dumps(portable(data), separators=(",", ":"), ensure_ascii=False)
        # JSON has an escape for half of a surrogate pair, UTF-8 has nothing.
        return text if text.isascii() else _LONE_SURROGATE.sub(_escape, text)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return PORTABLE


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class Codec:
    """The configured serializer, and the two that every process has."""

    def __init__(self, configured: Serializer | None = None) -> None:
        self.configured = configured or DefaultSerializer()
        self.name = self.configured.name()
        self.max_characters = MAX_CHARACTERS
        # A replay must return what the live call returned: only pickle guarantees that.
        self.is_lossless = isinstance(self.configured, DefaultSerializer)
        self._known = {
            PICKLE: DefaultSerializer(),
            PORTABLE: DBOSPortableJSONSerializer(),
            self.name: self.configured,
        }

    def format_name(self, wanted: WorkflowSerializationFormat | None, inherited: str | None) -> str:
        """The format of a call that asks for `wanted`, in a workflow of format `inherited`."""
        if wanted is WorkflowSerializationFormat.PORTABLE:
            return PORTABLE
        if wanted is WorkflowSerializationFormat.NATIVE:
            return self.name
        return PORTABLE if inherited == PORTABLE else self.name

    def encode(self, value: Any, name: str | None = None, subject: Subject = A_VALUE) -> str:
        """The text of a value in the format `name`; None is the configured one.

        Raises the serializer's error, with a note on the part of `subject` that fails, and
        ValueError for a text that no database keeps.
        """
        serializer = self._serializer(name)
        try:
            text = serializer.serialize(value)
        except Exception as error:
            unserializable.explain(error, value, subject, serializer.serialize, serializer.name())
            raise
        return self._storable(text, subject, serializer)

    def decode(self, text: str | None, name: str | None) -> Any:
        """The value of a text in the format `name`. Raises UnknownFormatError."""
        return None if text is None else self._serializer(name).deserialize(text)

    def encode_args(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
        arguments: Arguments = A_CALL,
    ) -> str:
        """The text of arguments. Raises the serializer's error with a note on the failing one."""
        value: dict[str, Any] = {"args": args, "kwargs": kwargs}
        if name == PORTABLE:
            value = {"namedArgs": kwargs, "positionalArgs": list(args)}
        serializer = self._serializer(name)
        try:
            text = serializer.serialize(value)
        except Exception as error:
            call = args, kwargs
            unserializable.explain_arguments(
                error, call, arguments, serializer.serialize, serializer.name()
            )
            raise
        return self._storable(text, Subject("the arguments", arguments.owner), serializer)

    def decode_args(self, text: str, name: str | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        value = self.decode(text, name)
        if name == PORTABLE:
            return tuple(value.get("positionalArgs") or ()), dict(value.get("namedArgs") or {})
        return tuple(value["args"]), dict(value["kwargs"])

    def encode_error(self, error: BaseException, name: str | None = None) -> str:
        """The text of an error. It never fails: what cannot be serialized is recorded as text.

        It tries the exception, an exception with its text, its portable form, and that as JSON
        although the format is another one.
        """
        serializer = self._serializer(name)
        if serializer.name() == PORTABLE:
            return self._portable_text(error)
        try:
            with _annotated(error):
                return self._exception_text(error, serializer)
        except Exception as failure:
            reason = failure
        try:
            return self._exception_text(as_text(error, reason), serializer)
        except Exception as failure:
            reason = failure
        try:
            text = serializer.serialize(portable_error(error))
            serializer.deserialize(text)
            return self._storable(text, AN_ERROR, serializer)
        except Exception:
            return self._portable_text(as_text(error, reason))

    def recordable(self, error: Exception) -> Exception:
        """The error, if the configured serializer restores it; otherwise its text as an error."""
        try:
            self._exception_text(error, self.configured)
        except Exception as reason:
            return as_text(error, reason)
        return error

    def error_as_text(self, error: BaseException, reason: BaseException) -> Exception:
        """An exception to record in place of `error`, which the database refuses by `reason`."""
        return as_text(error, reason)

    def decode_error(self, text: str, name: str | None) -> BaseException:
        """The recorded error; a PortableWorkflowError for one of another language."""
        try:
            value = self.decode(text, name)
        except UnknownFormatError:
            raise
        except Exception:
            value = _portable_form(text)
            if value is None:
                raise
        if isinstance(value, BaseException):
            return value
        if isinstance(value, dict) and "message" in value:
            return PortableWorkflowError(
                str(value["message"]),
                str(value.get("name") or "Error"),
                value.get("code"),
                value.get("data"),
            )
        return PortableWorkflowError(str(value), "Error")

    def _exception_text(self, error: BaseException, serializer: Serializer) -> str:
        """The text of an exception. Raises unless it is restored as one, and can be stored."""
        text = serializer.serialize(error)
        # Some exceptions can be pickled but not unpickled; some serializers keep their text alone.
        if not isinstance(serializer.deserialize(text), BaseException):
            raise TypeError(f"{serializer.name()} does not restore exceptions")
        return self._storable(text, AN_ERROR, serializer)

    def _portable_text(self, error: BaseException) -> str:
        """The portable form of an error, without its code and data if they are too large."""
        serializer = self._known[PORTABLE]
        given = portable_error(error)
        try:
            return self._storable(serializer.serialize(given), AN_ERROR, serializer)
        except Exception:
            return serializer.serialize(given | {"code": None, "data": None})

    def _storable(self, text: str, subject: Subject, serializer: Serializer) -> str:
        """The text, if every database keeps it. Raises TypeError or ValueError, which say why."""
        if not isinstance(text, str):
            raise TypeError(f"the serializer {serializer.name()} gives {type(text)}, not text")
        reason = None
        if "\x00" in text:
            reason = "contains a NUL character, which no database keeps"
        elif not text.isascii() and _LONE_SURROGATE.search(text):
            reason = "contains half of a surrogate pair, which no database keeps"
        elif len(text) > self.max_characters:
            reason = f"has {len(text):,} characters; at most {self.max_characters:,} can be kept"
        if reason is None:
            return text
        raise ValueError(f"{subject} cannot be recorded: as {serializer.name()} it {reason}")

    def check_format(self, name: str | None) -> None:
        """Raise UnknownFormatError if this process cannot read the format."""
        self._serializer(name)

    def _serializer(self, name: str | None) -> Serializer:
        if name is None:
            return self.configured
        try:
            return self._known[name]
        except KeyError:
            known = ", ".join(sorted(self._known))
            raise UnknownFormatError(
                f"the payload is in format {name!r}, which this process cannot read (it reads "
                f"{known}): was it written by another language, or with a custom serializer?"
            ) from None


def _portable_form(text: str) -> Any:
    """The portable form of an error that its own format could not keep; None if it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) and {"name", "message"} <= value.keys() else None


@contextmanager
def _annotated(error: BaseException) -> Iterator[None]:
    """Add the traceback to the exception's notes while it is serialized.

    A pickle holds no traceback. The note shows its origin in the process that raises it again.
    """
    frames, notes = traceback_of(error), getattr(error, "__notes__", None)
    if frames is None:
        yield
        return
    kept = None if notes is None else [*notes]
    error.add_note(frames)
    try:
        yield
    finally:
        if kept is None:
            del error.__notes__
        else:
            error.__notes__ = kept
