"""With DBOSHUB_DEBUG, the page about an error shows everything but passwords."""

from __future__ import annotations

import sys
from typing import Any

from django.views.debug import get_exception_reporter_filter, technical_500_response

# Not in one piece: the page also shows these lines.
PASSWORD = "tops3" + "cret"
URL = f"postgresql://ada:{PASSWORD}@db.example:5432/shop?sslmode=require"


def page(rf: Any, connect: Any) -> str:
    try:
        connect()
    except ConnectionError:
        kind, error, trace = sys.exc_info()
        return technical_500_response(rf.get("/"), kind, error, trace).content.decode()
    raise AssertionError("it fails")


def failing() -> None:
    url, places = URL, {"system": URL, "password": PASSWORD, "list": [URL]}
    nested = ({"OPTIONS": {"passfile": PASSWORD}}, URL)
    raise ConnectionError(len(url) + len(places) + len(nested))


def test_no_variable_and_no_setting_shows_a_password(rf: Any, settings: Any) -> None:
    settings.DEBUG = True
    settings.DBOS_SYSTEM_DATABASE_URL = URL
    settings.DBOS_CONFIG = {"system_database_url": URL, "listen": [URL]}
    settings.DBOSHUB_LISTEN_DSN = f"host=db.example user=ada password={PASSWORD}"
    html = page(rf, failing)
    assert "db.example" in html
    assert "ConnectionError" in html
    assert PASSWORD not in html.replace("PASSWORD", "")


def test_the_filter_is_ours() -> None:
    assert type(get_exception_reporter_filter(None)).__name__ == "MaskedReporterFilter"
