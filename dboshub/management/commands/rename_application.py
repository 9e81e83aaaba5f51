"""Rename an application with everything it owns."""

from __future__ import annotations

from typing import Any

from dboshub.management.terminal import TerminalCommand, actor, argument, confirm, yes
from dboshub.workflows.actions.audit import record
from dboshub.workflows.connection import atomic
from dboshub.workflows.engine.control.renaming import check_names
from dboshub.workflows.storage.control.rename import rename

BATCH = 10_000


class Command(TerminalCommand):
    help = (
        "Rename an application: its queues, schedules, versions, workflows and steps. Stop its "
        "executors first, and start them under the new name."
    )
    arguments = (
        yes,
        argument("-f", "--from", dest="old", help="the name until now"),
        argument("-t", "--to", dest="new", required=True, help="the new name"),
        argument(
            "--adopt-unclaimed-rows",
            action="store_true",
            help="also take rows that no application owns",
        ),
        argument("--batch-size", type=int, default=BATCH, help="rows in one transaction"),
    )

    def run_subcommand(self, **options: Any) -> Any:
        old, new = options["old"], options["new"]
        adopts, batch = options["adopt_unclaimed_rows"], max(1, options["batch_size"])
        check_names(old, new, adopts)
        what = f"application {old!r}" if old else "what no application owns"
        confirm(f"This gives {what} the name {new!r}.", is_confirmed=options["yes"])
        counts: dict[str, Any] = {**rename(atomic, old, new, batch=batch, adopt=adopts)}
        record(actor(), "rename", "application", old or "", new=new, adopts=adopts, **counts)
        return counts
