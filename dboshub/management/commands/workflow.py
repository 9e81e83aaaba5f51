"""The command ``workflow``: start, list, inspect, control, export and import workflows."""

from __future__ import annotations

from dboshub.management import (
    bulk_jobs,
    workflow_actions,
    workflow_queries,
    workflow_start,
    workflow_why,
)
from dboshub.management.terminal import SubcommandsCommand


class Command(SubcommandsCommand):
    help = "Start, list, inspect, control, export and import workflows."
    subcommands = (
        *workflow_queries.SUBCOMMANDS,
        workflow_why.WHY,
        workflow_start.START,
        *workflow_actions.SUBCOMMANDS,
        *bulk_jobs.SUBCOMMANDS,
    )
