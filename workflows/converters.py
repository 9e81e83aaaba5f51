"""Workflow ids in URLs. An id is any text, so some of them need a detour.

An id may hold slashes, spaces, emoji and markup, which quoting carries. It may not hold what
browsers and proxies rewrite (`.` and `..` segments, doubled or outer slashes) or what no pattern
matches (line breaks): such ids travel as `~` and their base64.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

_UNSAFE = re.compile(r"^~|(^|/)\.{0,2}(/|$)|[\x00-\x1f\x7f\\]|^\s|\s$")


class WorkflowId:
    """The path converter `<workflow_id:…>`."""

    regex = ".+"

    def to_python(self, value: str) -> str:
        if not value.startswith("~"):
            return value
        return urlsafe_b64decode(value[1:].encode("ascii")).decode()

    def to_url(self, value: str) -> str:
        if not _UNSAFE.search(value):
            return value
        return "~" + urlsafe_b64encode(value.encode("utf-8", "backslashreplace")).decode()
