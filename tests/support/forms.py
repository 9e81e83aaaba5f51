"""Forms of pages, as a browser posts them."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse


def filled(response: HttpResponse) -> dict[str, str]:
    """The fields of the page's form with the values that it shows."""
    form: Any = response.context["form"]  # type: ignore[attr-defined]  # of the test client
    shown = {field.html_name: field.value() for field in form}
    return {name: "" if value is None else str(value) for name, value in shown.items()}
