"""Serve the dashboard: of this project's databases, or of any system database to look at."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dboshub.standalone import dashboard_options, listening, preparation, serving
from dboshub.workflows.django_settings import given_system_database_url, hub_database_url
from dboshub.workflows.storage.database_urls import mask_password


class Command(BaseCommand):
    help = (
        "Open the dashboard. With --url it looks at the system database of any DBOS application: "
        "accounts and all that the dashboard itself keeps go to a local file, and nothing in that "
        "database is created or changed but by the actions that you confirm."
    )
    # Checks that ask a database come after it was found to be there.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        dashboard_options.add_arguments(parser)

    def handle(self, **options: Any) -> None:
        port = self._address(options["host"], options["port"])
        self._expect_own_settings(options["url"])
        preparation.prepare(self.stdout.write)
        self.stdout.write(self._introduction(options["read_only"]))
        serving.serve(options["host"], port, self.stdout.write)

    def _address(self, host: str, text: str) -> int:
        try:
            port = listening.port_of(text, listening.Options())
            listening.require_free(host, port, listening.Options())
        except listening.AddressError as error:
            raise CommandError(f"{error}.") from error
        return port

    def _expect_own_settings(self, url: str | None) -> None:
        """The options must have become settings before Django read them."""
        if url and not (hub_database_url() and given_system_database_url()):
            raise CommandError(
                "--url works with the settings of DBOSHub alone: run `dboshub dashboard` without "
                "DJANGO_SETTINGS_MODULE and --settings."
            )

    def _introduction(self, is_read_only: bool) -> str:
        shown = mask_password(given_system_database_url())
        lines = [f"Showing {shown}{', read-only' if is_read_only else ''}."]
        if hub_database_url():
            lines.append(
                f"Accounts, audit log and charts are in {mask_password(hub_database_url())} ."
            )
        return "\n".join(lines)
