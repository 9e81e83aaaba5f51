"""Text that a browser saves as a file."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.http import content_disposition_header


def attachment(text: str, name: str) -> HttpResponse:
    """A download; of the name only letters, digits and `-._` are kept."""
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    safe = "".join(char if char.isalnum() or char in "-._" else "_" for char in name)
    response["Content-Disposition"] = str(content_disposition_header(True, safe))
    return response
