"""Serialization of values to text and back, in the formats that DBOS libraries share.

``py_pickle`` (the default) is a pickle in base64. ``portable_json`` is read by every language. A
custom Serializer has a name of its own. Only executors decode: web pages never call this module.
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
from enum import Enum
from typing import Any

from dboshub.workflows.engine import unserializable
from dboshub.workflows.engine.errors import PortableWorkflowError
from dboshub.workflows.engine.portable_json import portable, portable_error
from dboshub.workflows.engine.unserializable import A_CALL, A_VALUE, Arguments, Subject

PICKLE = "py_pickle"
PORTABLE = "portable_json"
MAX_FRAMES = 50
_ENGINE = os.path.dirname(__file__)


# Modules that pickles of version 0.1.0 name, and the modules that define their classes now.
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
    """The format that a workflow or a call writes: portable, or that of this language."""

    PORTABLE = "portable"
    NATIVE = "native"
    DEFAULT = None


class UnknownFormatError(ValueError):
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


class _RecordUnpickler(pickle.Unpickler):
    """Reads pickles of every version: it finds a class that has moved.

    If the application has a module with one of our old names, its own classes are found there.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in MOVED_MODULES:
            found = getattr(importlib.import_module(MOVED_MODULES[module]), name, None)
            if found is not None:
                return found
        try:
            return super().find_class(module, name)
        except AttributeError as error:
            if module != "__main__":
                raise
            raise AttributeError(
                f"{name} was defined in a script that wrote the value (__main__), and this is "
                "another program: define it in a module that both import"
            ) from error


class DefaultSerializer(Serializer):
    """Pickle as base64 text. A picklable value is restored unchanged."""

    def serialize(self, data: Any) -> str:
        return base64.b64encode(pickle.dumps(data)).decode("ascii")

    def deserialize(self, serialized_data: str) -> Any:
        return _RecordUnpickler(io.BytesIO(base64.b64decode(serialized_data))).load()

    def name(self) -> str:
        return PICKLE


class DBOSPortableJSONSerializer(Serializer):
    """Compact JSON that the DBOS libraries of all languages read."""

    def serialize(self, data: Any) -> str:
        return json.dumps(portable(data), separators=(",", ":"), ensure_ascii=False)

    def deserialize(self, serialized_data: str) -> Any:
        return json.loads(serialized_data)

    def name(self) -> str:
        return PORTABLE


class Codec:
    """The configured serializer, and the two that every process has."""

    def __init__(self, configured: Serializer | None = None) -> None:
        self.configured = configured or DefaultSerializer()
        self.name = self.configured.name()
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

        Raises the serializer's error, with a note on the part of `subject` that fails.
        """
        serializer = self._serializer(name)
        try:
            return _without_nul(serializer.serialize(value))
        except Exception as error:
            unserializable.explain(error, value, subject, serializer.serialize, serializer.name())
            raise

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
        """The text of an error; its type and message alone if it cannot be serialized."""
        if name == PORTABLE:
            return self.encode(portable_error(error), name)
        serializer = self._serializer(name)
        try:
            with _annotated(error):
                text = serializer.serialize(error)
            serializer.deserialize(text)  # some exceptions can be pickled but not unpickled
        except Exception:
            text = serializer.serialize(Exception(f"{type(error).__name__}: {error}"))
        return text

    def decode_error(self, text: str, name: str | None) -> BaseException:
        """The recorded error; a PortableWorkflowError for one of another language."""
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
    """Add the traceback to the exception's notes while it is serialized.

    A pickle holds no traceback. The note shows its origin in the process that raises it again.
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
