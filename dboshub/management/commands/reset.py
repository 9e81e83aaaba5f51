"""Delete every workflow, schedule, queue and version of a system database."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from dboshub.management.terminal import TerminalCommand, actor, argument, confirm, schema, url, yes
from dboshub.workflows.actions.audit import record
from dboshub.workflows.connection import atomic
from dboshub.workflows.storage.database_urls import mask_password
from dboshub.workflows.storage.schema.reset import empty_tables, reset


class Command(TerminalCommand):
    help = (
        "Delete every workflow, schedule, queue and version of the system database, or drop the "
        "whole database that --url names. Users, groups and the audit log of this hub stay. Stop "
        "all executors first."
    )
    arguments = (
        yes,
        argument("--drop", action="store_true", help="drop the database that --url names"),
        url,
        schema,
    )

    def needs_databases(self, **options: Any) -> bool:
        return not options["url"]

    def run_subcommand(self, **options: Any) -> Any:
        target, drop = options["url"], options["drop"]
        if drop and not target:
            raise CommandError("--drop needs --url: this hub's own database holds its users, too.")
        place = mask_password(target) if target else "this hub's system database"
        confirm(f"This deletes all workflows of {place} for good.", is_confirmed=options["yes"])
        if target:
            reset(target, schema=options["schema"], truncate=not drop)
            return {"reset": place, "dropped": drop}
        with atomic() as session:
            deleted = empty_tables(session)
        record(actor(), "reset", "system database", "", rows=sum(deleted.values()))
        return {"reset": place, "deleted": deleted}
