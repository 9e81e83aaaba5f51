"""Start, list, inspect, steer and move workflows from a terminal."""

from __future__ import annotations

from dboshub.management import acting, looking
from dboshub.management.terminal import VerbsCommand


class Command(VerbsCommand):
    help = "Start, list, inspect, steer and move workflows."
    verbs = (*looking.VERBS, *acting.VERBS)
