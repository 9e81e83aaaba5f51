"""Ids and names in URLs. Both are any text, so some of them are encoded.

They may hold slashes, spaces, emoji and markup, which percent-encoding carries. They may not hold
what browsers and proxies rewrite (`.` and `..` segments, doubled or outer slashes) or what no
pattern matches (line breaks): such text travels as `~` and its base64.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

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
    """The path converter `<dboshub_name:…>`: a name on a level that also has `do/<verb>/`."""

    def to_url(self, value: str) -> str:
        if value == "do" or value.startswith("do/"):
            return "~" + urlsafe_b64encode(value.encode()).decode()
        return super().to_url(value)


# Under names of our own: a project's converters share one table.
register_converter(AnyText, "dboshub_id")
register_converter(NameBesideActions, "dboshub_name")
