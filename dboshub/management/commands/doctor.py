"""Say what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand

from dboshub.doctor.examination import as_text, examine
from dboshub.doctor.findings import State
from dboshub.workflows.engine.visible_text import visible, visible_json


class Command(BaseCommand):
    help = (
        "Look at versions, settings, files and both databases, and say what is wrong and how to "
        "mend it. It changes nothing, shows no password, and exits with 1 if something is wrong."
    )
    # They are one of its own findings.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="answer in JSON")

    def handle(self, *, as_json: bool, **options: Any) -> None:
        findings = [*examine()]
        is_well = not any(each.state is State.WRONG for each in findings)
        if as_json:
            found = {"ok": is_well, "checks": [asdict(each) for each in findings]}
            self.stdout.write(visible_json(json.dumps(found, indent=2, ensure_ascii=False)))
        else:
            self.stdout.write(visible(as_text(findings), keep="\n"))
        if not is_well:
            sys.exit(1)
