"""Path converters for ids and names, which may be any text.

Percent-encoding carries slashes, spaces, emoji and markup. Browsers and proxies rewrite `.` and
`..` segments and doubled or outer slashes, and no URL pattern matches a line break: a text with
one of these is written as `~` and its base64.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import cache

from django.urls import register_converter

_UNSAFE = re.compile(r"^~|(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f\\]|^\s|\s$")


class AnyText:
    """The path converter `<dboshub_id:…>`: the id of a workflow, an executor or a version."""

    regex = ".+"

    def to_python(self, value: str) -> str:
        if not value.startswith("~"):
            return value
        return urlsafe_b64decode(value[1:].encode("ascii")).decode()

    def to_url(self, value: str) -> str:
        if not _UNSAFE.search(value):
            return value
        return "~" + urlsafe_b64encode(value.encode("utf-8", "backslashreplace")).decode()


class NameBesideActions(AnyText):
    """The path converter `<dboshub_name:…>`: a name beside which the URL `do/<verb>/` exists."""

    def to_url(self, value: str) -> str:
        if value == "do" or value.startswith("do/"):
            return "~" + urlsafe_b64encode(value.encode()).decode()
        return super().to_url(value)


class SignedNumber:
    """The path converter `<dboshub_number:…>`: a number of a step, which may be negative."""

    regex = "-?[0-9]+"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


@cache
def register_converters() -> None:
    """Add them once to the registry of the project, in which all apps have theirs."""
    register_converter(AnyText, "dboshub_id")
    register_converter(SignedNumber, "dboshub_number")
    register_converter(NameBesideActions, "dboshub_name")
