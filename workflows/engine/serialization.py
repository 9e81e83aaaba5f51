"""Values to text and back, in the formats that DBOS libraries share.

``py_pickle`` (the default) is base64 of a pickle; ``portable_json`` is read by every language; a
custom Serializer is known by its name. Only executors decode: web pages never call this module.
"""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import pickle
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any

from dboshub.workflows.engine import unserializable
from dboshub.workflows.engine.errors import PortableWorkflowError
from dboshub.workflows.engine.unserializable import A_CALL, A_VALUE, Arguments, Subject

PICKLE = "py_pickle"
PORTABLE = "portable_json"
MAX_FRAMES = 50
_ENGINE = os.path.dirname(__file__)
_CODES = ("code", "error_code", "errno", "status", "status_code")
_DETAILS = ("data", "details", "payload", "extra", "meta", "metadata")


# Modules named in pickles of version 0.1.0, and where their classes are now.
MOVED_MODULES = {
    "workflows.engine.errors": "dboshub.workflows.engine.errors",
    "workflows.engine.records": "dboshub.workflows.engine.records",
    "workflows.engine.status": "dboshub.workflows.engine.status",
    "workflows.engine.context": "dboshub.workflows.engine.context",
    "workflows.engine.handles": "dboshub.workflows.engine.handles",
    "workflows.engine.ports": "dboshub.workflows.engine.ports",
    "workflows.engine.serialization": "dboshub.workflows.engine.serialization",
    "workflows.engine.sending": "dboshub.workflows.engine.operations.sending",
    "workflows.storage.bundles": "dboshub.workflows.storage.control.export_format",
    "workflows.storage.fork": "dboshub.workflows.storage.control.fork",
    "workflows.storage.schema.errors": "dboshub.workflows.storage.schema.errors",
    "schedules.engine.records": "dboshub.schedules.engine.records",
}


class WorkflowSerializationFormat(Enum):
    """Which format a workflow or a call writes: the portable one, or this language's own."""

    PORTABLE = "portable"
    NATIVE = "native"
    DEFAULT = None


class UnknownFormatError(ValueError):
    """A payload is in a format that this process has no serializer for."""


class Serializer(ABC):
    """Turns values into text and back; give it to ``DBOSConfig`` to replace pickle."""

    @abstractmethod
    def serialize(self, data: Any) -> str: ...

    @abstractmethod
    def deserialize(self, serialized_data: str) -> Any: ...

    def name(self) -> str:
        """What the ``serialization`` column says of rows this serializer wrote."""
        return "custom_serializer"


class _RecordUnpickler(pickle.Unpickler):
    """Reads records of every version: a class that has moved is found where it is now.

    A module of the application that has an old name of ours keeps it for all its own classes.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in MOVED_MODULES:
            found = getattr(importlib.import_module(MOVED_MODULES[module]), name, None)
            if found is not None:
                return found
        return super().find_class(module, name)


class DefaultSerializer(Serializer):
    """Pickle, as base64 text: every picklable value comes back as it was."""

    def serialize(self, data: Any) -> str:
        return base64.b64encode(pickle.dumps(data)).decode("ascii")

    def deserialize(self, serialized_data: str) -> Any:
        return _RecordUnpickler(io.BytesIO(base64.b64decode(serialized_data))).load()

    def name(self) -> str:
        return PICKLE


class DBOSPortableJSONSerializer(Serializer):
    """Compact JSON that every DBOS language reads."""

    def serialize(self, data: Any) -> str:
        return json.dumps(portable(data), separators=(",", ":"), ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return PORTABLE


class Codec:
    """The configured serializer beside the two that are always there."""

    def __init__(self, configured: Serializer | None = None) -> None:
        self.configured = configured or DefaultSerializer()
        self.name = self.configured.name()
        # What replay returns must be what the live call returned; only pickle is faithful.
        self.is_lossless = isinstance(self.configured, DefaultSerializer)
        self._known = {
            PICKLE: DefaultSerializer(),
            PORTABLE: DBOSPortableJSONSerializer(),
            self.name: self.configured,
        }

    def format_name(self, wanted: WorkflowSerializationFormat | None, inherited: str | None) -> str:
        """The ``serialization`` to write for a call's choice, inside a workflow of some format."""
        if wanted is WorkflowSerializationFormat.PORTABLE:
            return PORTABLE
        if wanted is WorkflowSerializationFormat.NATIVE:
            return self.name
        return PORTABLE if inherited == PORTABLE else self.name

    def encode(self, value: Any, name: str | None = None, subject: Subject = A_VALUE) -> str:
        """The value as text. Raises the serializer's error, which tells what part of it fails."""
        serializer = self._serializer(name)
        try:
            return _without_nul(serializer.serialize(value))
        except Exception as error:
            unserializable.explain(error, value, subject, serializer.serialize, serializer.name())
            raise

    def decode(self, text: str | None, name: str | None) -> Any:
        return None if text is None else self._serializer(name).deserialize(text)

    def encode_args(
        self,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        name: str,
        arguments: Arguments = A_CALL,
    ) -> str:
        """A call as text. Raises the serializer's error, which names the argument that fails."""
        value: dict[str, Any] = {"args": args, "kwargs": kwargs}
        if name == PORTABLE:
            value = {"namedArgs": kwargs, "positionalArgs": list(args)}
        serializer = self._serializer(name)
        try:
            return _without_nul(serializer.serialize(value))
        except Exception as error:
            call = args, kwargs
            unserializable.explain_arguments(
                error, call, arguments, serializer.serialize, serializer.name()
            )
            raise

    def decode_args(self, text: str, name: str | None) -> tuple[tuple[Any, ...], dict[str, Any]]:
        value = self.decode(text, name)
        if name == PORTABLE:
            return tuple(value.get("positionalArgs") or ()), dict(value.get("namedArgs") or {})
        return tuple(value["args"]), dict(value["kwargs"])

    def encode_error(self, error: BaseException, name: str | None = None) -> str:
        if name == PORTABLE:
            return self.encode(_envelope(error), name)
        serializer = self._serializer(name)
        try:
            with _annotated(error):
                text = serializer.serialize(error)
            serializer.deserialize(text)  # an exception that cannot come back helps nobody
        except Exception:
            text = serializer.serialize(Exception(f"{type(error).__name__}: {error}"))
        return text

    def decode_error(self, text: str, name: str | None) -> BaseException:
        value = self.decode(text, name)
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


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the serialized text contains a NUL character, which no database keeps")
    return text


@contextmanager
def _annotated(error: BaseException) -> Iterator[None]:
    """Note the traceback on the exception while it is serialized: pickles carry none.

    Whoever raises it again, in another process, shows where it came from.
    """
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_ENGINE)
    ]
    notes = getattr(error, "__notes__", None)
    if not frames:
        yield
        return
    kept = None if notes is None else [*notes]
    text = "".join(traceback.format_list(frames[-MAX_FRAMES:]))
    error.add_note(f"Traceback (most recent call last):\n{text}".rstrip())
    try:
        yield
    finally:
        if kept is None:
            del error.__notes__
        else:
            error.__notes__ = kept


def portable(value: Any) -> Any:
    """A value made of JSON's own types; TypeError names what has no portable form."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case dict():
            return {_portable_key(key): portable(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [portable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no portable JSON form: {value!r:.100}")


def _portable_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"portable JSON needs text keys, not {type(key).__name__}: {key!r:.100}")
    return key


def _envelope(error: BaseException) -> dict[str, Any]:
    if isinstance(error, PortableWorkflowError):
        name, message = error.name, error.message
    else:
        name, message = type(error).__name__, str(error)
    return {
        "name": name,
        "message": message,
        "code": _attribute(error, _CODES),
        "data": _attribute(error, _DETAILS),
    }


def _attribute(error: BaseException, names: tuple[str, ...]) -> Any:
    for name in names:
        value = getattr(error, name, None)
        if value is not None:
            try:
                return portable(value)
            except TypeError:
                continue
    return None
