"""The whole hub without its database: every page says so, and the health check still answers."""

from __future__ import annotations

from tests.databases.conftest import Manage

ASKED = """
from django.conf import settings
from django.test import Client
from django.test.utils import override_settings

# What collectstatic would have made is not what is asked about.
plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
override_settings(STORAGES=settings.STORAGES | plain).enable()
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.cookies[settings.SESSION_COOKIE_NAME] = "x" * 32
for address in ("/workflows/", "/", "/nowhere", "/healthz"):
    if address == "/healthz":
        # What asks for the pulse has no session.
        client.cookies.clear()
    response = client.get(address)
    print(address, response.status_code, b"The database does not answer" in response.content)
"""


def test_without_a_database_pages_say_what_is_wrong_and_the_pulse_beats(manage: Manage) -> None:
    asked = manage("postgresql://nobody@127.0.0.1:1/none", "shell", "-c", ASKED)
    assert asked.stdout.splitlines()[-4:] == [
        "/workflows/ 503 True",
        "/ 503 True",
        "/nowhere 404 False",
        "/healthz 200 False",
    ], asked.stderr
