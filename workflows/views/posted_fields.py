"""The fields of a posted form, to be posted again."""

from __future__ import annotations

from collections.abc import Container

from django.http import HttpRequest


def posted_fields(request: HttpRequest, *, leave_out: Container[str]) -> list[tuple[str, str]]:
    """Name and value of each field that is not empty, without the token."""
    return [
        (name, value)
        for name, values in request.POST.lists()
        for value in values
        if value and name != "csrfmiddlewaretoken" and name not in leave_out
    ]
