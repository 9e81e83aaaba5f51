"""Replay recorded workflows against the code present, and say where it differs."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dboshub.management.readiness import require_databases
from dboshub.management.replaying import as_json, as_text, from_bundles, from_database, replays
from dboshub.management.terminal import errors_as_command_errors, schema, url
from dboshub.runtime.module_import import ModuleImportError
from dboshub.runtime.worker_setup import configuration, import_workflows
from dboshub.standalone.preparation import prepare_for_other_database
from dboshub.workflows.django_settings import imported_modules
from dboshub.workflows.engine import current_engine
from dboshub.workflows.engine.registration.registry import registry
from dboshub.workflows.engine.serialization import Codec
from dboshub.workflows.engine.visible_text import visible, visible_json

NO_LAUNCH = "a replay runs no workflow, so DBOS.launch() is refused: call it under __main__ alone"


class Command(BaseCommand):
    help = (
        "Run recorded workflows against their recorded steps with the code present. No step runs "
        "and nothing is written. Exits with 1 if the code differs from a record: a check of a new "
        "version before it meets what is in flight."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        add = parser.add_argument
        add("bundles", nargs="*", metavar="BUNDLE", help="file of `workflow export`; - for input")
        add(
            "-m", "--module", dest="modules", action="append", default=[], metavar="MODULE",
            help="import this module first; repeatable, also by DBOSHUB_IMPORT=a,b",
        )  # fmt: skip
        add("--from-database", action="store_true", help="replay runs of the system database")
        add("-n", "--name", dest="names", action="append", default=[],
            help="of this workflow; repeatable, by default of each that is registered")  # fmt: skip
        add("--newest", type=int, default=20, metavar="N", help="runs of each name; 20 by default")
        add("--in-flight", action="store_true", help="only what has not ended")
        add("--timeout", type=float, default=30.0, metavar="SECONDS", help="for one body; 30")
        add("--json", action="store_true", dest="as_json", help="answer in JSON")
        url(parser)
        schema(parser)

    def handle(self, **options: Any) -> None:
        if bool(options["bundles"]) == options["from_database"]:
            raise CommandError("Give bundles, or --from-database.")
        if options["newest"] < 1:
            raise CommandError("--newest is a number of runs, at least 1.")
        if options["url"] is not None:
            prepare_for_other_database()
        with errors_as_command_errors():
            codec = self._declare(options["modules"])
            runs = self._runs(options)
            reports = [*replays(runs, registry, codec, limit_s=options["timeout"])]
        if not reports:
            raise CommandError("Nothing is recorded of these workflows: nothing was replayed.")
        if options["as_json"]:
            told = visible_json(json.dumps(as_json(reports), indent=2, ensure_ascii=False))
        else:
            told = visible(as_text(reports), keep="\n")
        self.stdout.write(told)
        if not all(each.agrees for each in reports):
            sys.exit(1)

    def _declare(self, modules: list[str]) -> Codec:
        """Import what there is to run, as a worker does, and return its serializer."""
        from dboshub import DBOS

        current_engine.refuse_launch(NO_LAUNCH)
        try:
            config = DBOS(config=configuration()).config
            import_workflows([*imported_modules(), *modules])
        except ModuleImportError as error:
            raise CommandError(str(error)) from error
        finally:
            current_engine.refuse_launch(None)
            DBOS.destroy()
        return Codec(config.get("serializer"))

    def _runs(self, options: dict[str, Any]) -> Any:
        if not options["from_database"]:
            return from_bundles(options["bundles"])
        require_databases(needs_hub=False)
        names = options["names"] or sorted(registry.workflows)
        return from_database(names, options["newest"], in_flight=options["in_flight"])
