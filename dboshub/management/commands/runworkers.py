"""Run workflows in one or several processes until they are stopped."""

from __future__ import annotations

import logging
import os
from argparse import ArgumentParser
from collections.abc import Sequence
from threading import Thread
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from dboshub.background.bulk_jobs import start_bulk_job_thread
from dboshub.background.rollups import start_rollup_thread
from dboshub.checks import OUR_CHECKS
from dboshub.management.readiness import require_databases
from dboshub.management.terminal import errors_as_command_errors
from dboshub.runtime.module_import import ModuleImportError
from dboshub.runtime.stop_budget import ANSWER_S, CLOSE_S, StopBudget
from dboshub.runtime.stop_requests import StopRequests
from dboshub.runtime.supervisor import CANNOT_START, Child, Exit, supervise
from dboshub.runtime.worker_end import WorkerEnd
from dboshub.runtime.worker_setup import configuration, import_workflows
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import atomic
from dboshub.workflows.django_settings import (
    counts_rollups,
    imported_modules,
    works_on_bulk_jobs,
)
from dboshub.workflows.engine.membership.incarnations import ProcessIdentity, this_process
from dboshub.workflows.engine.visible_text import visible
from dboshub.workflows.invocation import program_command
from dboshub.workflows.storage.membership import executors, recover

log = logging.getLogger(__name__)

NOT_STARTED = "No worker was started, and nothing tries again; a running worker would wait."
SUPERVISED = "The supervisor starts this worker again."


class Command(BaseCommand):
    help = "Run workflows: those of every installed app's workflows.py, and of --import modules."
    requires_system_checks = OUR_CHECKS

    _ends_to_record: Sequence[Thread] = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queues", help="serve only these queues: a,b")
        parser.add_argument("--threads", type=_positive, help="workflows to run at once")
        parser.add_argument("--processes", type=_positive, default=1, help="processes to run")
        parser.add_argument(
            "--import", dest="modules", action="append", default=[], metavar="MODULE",
            help="import this module, too; repeatable, also by DBOSHUB_IMPORT=a,b",
        )  # fmt: skip
        parser.add_argument(
            "--grace", type=float, default=25.0, metavar="SECONDS",
            help="time to finish running workflows in when stopped",
        )  # fmt: skip
        parser.add_argument(
            "--adopt-executor", action="append", default=[], metavar="ID",
            help="take over the running workflows of this executor, which must be dead",
        )  # fmt: skip
        parser.add_argument("--child", action="store_true", help="stop when standard input ends")

    def handle(self, **options: Any) -> None:
        _require_databases(is_child=options["child"])
        stop = StopRequests()
        stop.on_signals()
        if options["processes"] > 1:
            self._supervise(options, stop)
            return
        if options["child"]:
            stop.on_end_of_input()
        self._work(options, stop)

    def _supervise(self, options: dict[str, Any], stop: StopRequests) -> None:
        self._adopt(options["adopt_executor"])
        command = [*program_command(), "runworkers", "--child"]
        command += [f"--grace={options['grace']}"]
        command += [f"--queues={options['queues']}"] if options["queues"] is not None else []
        command += [f"--threads={options['threads']}"] if options["threads"] else []
        command += [f"--import={module}" for module in options["modules"]]
        self.stdout.write(f"Running {options['processes']} worker processes.")
        children = [Child(command, self._ended) for _ in range(options["processes"])]
        can_start = supervise(children, stop, grace=options["grace"])
        for thread in self._ends_to_record:
            thread.join(ANSWER_S / len(self._ends_to_record))
        if not can_start:
            raise CommandError("The workers cannot start: the message above says why.")

    def _ended(self, end: Exit) -> None:
        """A child that was reaped is dead for certain: its workflows are freed at once."""
        self.stderr.write(f"Worker {end.process.pid} ended ({end.reason}).")
        # The lease frees its workflows as well, only later. On a thread of its own, because in an
        # outage the other children have to be supervised, and to be stopped.
        thread = Thread(target=_record_end, args=(end.process,), name="dboshub-end", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            log.warning("the end of process %d is not recorded: %s", end.process.pid, error)
            return
        self._ends_to_record = [each for each in self._ends_to_record if each.is_alive()] + [thread]

    def _work(self, options: dict[str, Any], stop: StopRequests) -> None:
        from dboshub import DBOS

        try:
            self._declare(options)
        except CommandError as error:
            code = CANNOT_START if options["child"] else 1
            raise CommandError(str(error), returncode=code) from error
        with errors_as_command_errors():
            DBOS.launch()
        self._adopt(options["adopt_executor"])
        stop_rollups = start_rollup_thread()
        start_bulk_job_thread()
        ending = WorkerEnd(DBOS, options["grace"], stop.ask)
        self.stdout.write(f"Worker {os.getpid()} runs workflows.")
        stop.wait()
        ending.begin()
        stop_rollups()
        self.stdout.write(f"Worker {os.getpid()} stops: workflows finish the step they are in.")
        self._end(ending, stop)

    def _declare(self, options: dict[str, Any]) -> None:
        """Configure, and import what this process is to run."""
        from dboshub import DBOS

        with errors_as_command_errors():
            DBOS(config=configuration(threads=options["threads"]))
        if options["queues"] is not None:
            DBOS.listen_queues([name for name in options["queues"].split(",") if name])
        try:
            import_workflows([*imported_modules(), *options["modules"]])
        except ModuleImportError as error:
            raise CommandError(str(error)) from error

    def _end(self, ending: WorkerEnd, stop: StopRequests) -> None:
        """Wait for the end; at a second signal, hand workflows back at once."""
        stop.wait(max(0.0, ending.left() - ANSWER_S))
        if not ending.is_destroyed:
            left = StopBudget(min(0.0, ending.left() - CLOSE_S))
            left.within(self._release, "work was not handed back, its lease will expire")
            self.stdout.flush()
            os._exit(0)

    def _release(self) -> None:
        with atomic() as session:
            given = recover.release_process(session, this_process(), now=now_ms())
        self.stdout.write(f"Worker {os.getpid()} handed {given} workflows back.")

    def _adopt(self, executor_ids: list[str]) -> None:
        for executor_id in executor_ids:
            with atomic() as session:
                adopted = recover.adopt_executor(
                    session, executor_id, application=configuration()["name"], now=now_ms()
                )
            self.stdout.write(f"Took over {adopted} workflows of executor {visible(executor_id)}.")


def _record_end(process: ProcessIdentity) -> None:
    """Record that a process has ended. Closes the connection of this thread."""
    try:
        with atomic() as session:
            executors.mark_dead(session, process, by=f"supervisor {os.getpid()}")
    except Exception as error:
        log.warning("the end of process %d is not recorded: %s", process.pid, error)
    finally:
        connections.close_all()


def _require_databases(*, is_child: bool) -> None:
    """Raise CommandError for databases that a worker cannot use, and say what becomes of it."""
    try:
        with errors_as_command_errors():
            require_databases(
                needs_hub=counts_rollups() or works_on_bulk_jobs(), runs_workflows=True
            )
    except CommandError as error:
        raise CommandError(f"{error} {SUPERVISED if is_child else NOT_STARTED}") from None


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
