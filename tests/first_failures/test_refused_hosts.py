"""A foreign Host header, or Origin: the page names the setting and what to add to it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.test import Client

from dboshub.web.refused_requests import OneLine

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["standalone", "host project"])
def names(request: pytest.FixtureRequest, settings: Any) -> tuple[str, str]:
    """What the settings are called: as variables of ours, or as Django's own."""
    is_alone = request.param == "standalone"
    settings.SETTINGS_MODULE = "dboshub.settings" if is_alone else "shop.settings"
    if is_alone:
        return "DBOSHUB_ALLOWED_HOSTS", "DBOSHUB_TRUSTED_ORIGINS"
    return "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS"


@pytest.mark.parametrize(
    "host", ["hub.example.com", "10.1.2.3", "hub.example.com:8000", "[fe80::1]"]
)
def test_the_page_names_the_setting_and_the_host_to_add(
    host: str, names: tuple[str, str], client: Client
) -> None:
    response = client.get("/workflows/", headers={"host": host})
    page = response.content.decode()
    assert response.status_code == 400
    added = host.removesuffix(":8000")
    assert f"<code>{names[0]}</code>" in page
    assert f"add <code>{added}</code> to it" in page
    assert "Traceback" not in page


@pytest.mark.parametrize("host", ["<script>alert(1)</script>", "a b", "-", "ex%41mple.com", ""])
def test_what_is_no_host_is_not_shown(host: str, names: tuple[str, str], client: Client) -> None:
    response = client.get("/", headers={"host": host})
    page = response.content.decode()
    assert response.status_code == 400
    assert "names no valid host" in page or "add <code>" in page
    assert "<script>alert" not in page


def test_another_bad_request_is_told_as_before(client: Client) -> None:
    response = client.get("/workflows/?cursor=%00")
    assert "This host is not allowed" not in response.content.decode()


def test_a_foreign_origin_names_the_setting_and_the_origin(
    names: tuple[str, str], make_user: Callable[..., Any]
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user())
    response = client.post(
        "/theme/", {"theme": "dark"}, headers={"origin": "https://hub.example.com"}
    )
    page = response.content.decode()
    assert response.status_code == 403
    assert f"<code>{names[1]}</code>" in page
    assert "<code>https://hub.example.com</code>" in page


def test_a_form_without_its_token_is_told_as_before(make_user: Callable[..., Any]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_user())
    response = client.post("/theme/", {"theme": "dark"})
    assert response.status_code == 403
    assert "This page was open too long" in response.content.decode()


def test_the_log_has_one_line_without_a_stack_trace(
    settings: Any, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    settings.SETTINGS_MODULE = "dboshub.settings"
    logger = logging.getLogger("django.security.DisallowedHost")
    one_line = OneLine()
    logger.addFilter(one_line)
    try:
        client.get("/", headers={"host": "hub.example.com"})
    finally:
        logger.removeFilter(one_line)
    [record] = [each for each in caplog.records if each.name == logger.name]
    assert record.exc_info is None
    assert record.getMessage() == (
        "Invalid HTTP_HOST header: 'hub.example.com'. DBOSHUB_ALLOWED_HOSTS lists the hosts that "
        "are answered."
    )


def test_the_standalone_settings_have_the_filter() -> None:
    from dboshub.settings import LOGGING

    configured: Any = LOGGING["loggers"]
    assert configured["django.security.DisallowedHost"]["filters"] == ["one_line"]
    filters: Any = LOGGING["filters"]
    assert filters["one_line"]["()"] == f"{OneLine.__module__}.{OneLine.__name__}"


def test_a_record_without_an_error_stays_as_it_is() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "said %s", ("it",), None)
    assert OneLine().filter(record)
    assert record.getMessage() == "said it"
    try:
        raise DisallowedHost("Invalid HTTP_HOST header: 'x'. You may need to add 'x'.")
    except DisallowedHost as error:
        told = logging.LogRecord("x", logging.ERROR, "f", 1, str(error), (), sys.exc_info())
    OneLine().filter(told)
    assert "You may need" not in told.getMessage()
