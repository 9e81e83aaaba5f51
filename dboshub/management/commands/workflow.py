"""Start, list, inspect, steer and move workflows from a terminal."""

from __future__ import annotations

from dboshub.management import workflow_actions, workflow_queries
from dboshub.management.terminal import SubcommandsCommand


class Command(SubcommandsCommand):
    help = "Start, list, inspect, steer and move workflows."
    verbs = (*workflow_queries.VERBS, *workflow_actions.VERBS)
