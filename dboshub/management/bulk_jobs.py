"""Subcommands of ``workflow`` for bulk jobs: start one, undo one, list them."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import Any
from urllib.parse import urlencode

from django.core.management.base import CommandError
from django.http import QueryDict

from dboshub.management.terminal import Subcommand, actor, argument, confirm, reason
from dboshub.workflows.bulk import job_actions
from dboshub.workflows.bulk.batch import AT_ONCE, OWN_QUEUE
from dboshub.workflows.bulk.verbs import OFFERED
from dboshub.workflows.bulk.worker import work_on
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import reading
from dboshub.workflows.forms.bulk_forms import BulkStartForm
from dboshub.workflows.models import BulkJob
from dboshub.workflows.rendering.bulk import show_job
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors.bulk import job_page
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.versions import version_names

NO_FILTER = "Give ids, or --filter 'status:CANCELLED name:checkout', or --all for every workflow."


def bulk(
    *, verb: str, workflow_ids: list[str], where: str | None, every: bool, **options: Any
) -> dict[str, Any]:
    if [bool(workflow_ids), where is not None, every].count(True) != 1:
        raise CommandError(NO_FILTER)
    again = options.pop("again")
    query, ids = _query(where or ""), workflow_ids or None
    job = job_actions.create_job(actor(), OFFERED[verb].name, query=query, ids=ids, again=again)
    return _confirmed(job, **options)


def undo(*, job: int, **options: Any) -> dict[str, Any]:
    return _confirmed(job_actions.create_undo(actor(), job), **options)


def jobs(**_: Any) -> list[dict[str, Any]]:
    return [_outline(job) for job in job_page(None).jobs]


def _confirmed(
    job: BulkJob, *, dry_run: bool, is_confirmed: bool, reason: str, **options: Any
) -> dict[str, Any]:
    """Start the job once it is confirmed, and follow it to its end; a draft is discarded."""
    job = work_on(job.pk)
    try:
        form = _form(job, options)
        if dry_run or not job.total:
            return _outline(job) | {"state": "discarded"}
        plan = "".join(f"; {each}" for each in show_job(job).plan)
        question = f"{form.verb.title}: {job.total:,} workflows{plan}."
        confirm(question, is_confirmed=is_confirmed)
        job_actions.start_job(
            actor(), job.pk, options=form.options(), rate=form.per_second(), reason=reason
        )
    finally:
        if not BulkJob.objects.filter(pk=job.pk, started_at__isnull=False).exists():
            job_actions.discard_job(actor(), job.pk)
    try:
        return _outline(work_on(job.pk))
    except KeyboardInterrupt:
        job_actions.stop_job(actor(), job.pk)
        raise CommandError(f"Job {job.pk} is stopped; it can go on, or be undone.") from None


def _form(job: BulkJob, options: dict[str, Any]) -> BulkStartForm:
    """The options, checked as those of the page. Raises CommandError."""
    viewer = viewer_for(actor().user)
    with reading() as session:
        queues, versions = queue_names(session, viewer), version_names(session, viewer)
    number, unit = options.pop("rate", None) or (None, "second")
    own = "" if options.get("at_once") else OWN_QUEUE
    given = {
        "start": "failed",
        "queue": options.get("queue") or own,
        "unknown": AT_ONCE if options.get("unknown_at_once") else "",
        "version": options.get("app_version") or "",
        "priority": options.get("priority"),
        "delay": options.get("delay"),
        "unit": "second",
        "children": options.get("children"),
        "rate": number,
        "per": unit,
    }
    form = BulkStartForm(job, given, queues=queues, versions=versions)
    if not form.is_valid():
        raise CommandError(
            " ".join(
                f"{form[name].label}: {' '.join(map(str, errors))}"
                for name, errors in form.errors.items()
            )
        )
    return form


def _query(box: str) -> str:
    """The text of the search box as a query string. Raises CommandError."""
    criteria = parse(QueryDict(urlencode({"q": box})), now=now_ms(), attributes=True)
    words = [f"{criteria.words!r} is no criterion."] if criteria.words else []
    if problems := [*criteria.problems, *words]:
        raise CommandError(" ".join(problems))
    return criteria.query()


def _outline(job: BulkJob) -> dict[str, Any]:
    shown = show_job(job)
    return {
        "job": job.pk,
        "verb": job.verb,
        "state": job.state,
        "workflows": job.total,
        "done": job.done,
        "skipped": job.skipped,
        "failed": job.failed,
        "plan": "; ".join(shown.plan),
        "left_out": "; ".join(shown.left_out),
        "undoes": job.undoes_id,
        "by": job.username,
        "reason": job.reason,
        "note": job.note,
        "created_at": job.created_at,
        "ended_at": job.ended_at,
    }


def _rate(text: str) -> tuple[float, str]:
    """An argument type: `5` or `5/s` for five per second, `30/m` for thirty per minute."""
    number, _, unit = text.partition("/")
    if unit not in ("", "s", "m"):
        raise ArgumentTypeError(f"{text!r} is not a rate such as 5/s or 30/m")
    try:
        return float(number), "minute" if unit == "m" else "second"
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a rate such as 5/s or 30/m") from None


HOW = (
    argument("--rate", type=_rate, metavar="N/s|N/m", help="at most so many workflows"),
    argument("--dry-run", action="store_true", help="say what would be done, and do nothing"),
    reason,
    argument("-y", "--yes", action="store_true", dest="is_confirmed", help="do not ask"),
)
SUBCOMMANDS = (
    Subcommand(
        "bulk",
        "act on many workflows, as a job that can be undone",
        bulk,
        (
            argument("verb", choices=[*OFFERED]),
            argument("workflow_ids", nargs="*"),
            argument("--filter", dest="where", metavar="TEXT", help="as in the search box"),
            argument("--all", action="store_true", dest="every", help="every workflow there is"),
            argument("--again", action="store_true", help="fork what was forked before, too"),
            argument("--queue", help="resume, fork: all onto it; by default each onto its own"),
            argument("--at-once", action="store_true", help="resume, fork: past every limit"),
            argument(
                "--unknown-at-once",
                action="store_true",
                help="the same for those alone of which nothing says the queue",
            ),
            argument("--to-version", dest="app_version", help="move: by default to the latest"),
            argument("--priority", type=int, help="prioritize"),
            argument("--delay", type=float, metavar="SECONDS", help="delay"),
            argument("--children", action="store_true", help="cancel, delete: descendants too"),
            *HOW,
        ),
    ),
    Subcommand(
        "undo",
        "undo a bulk job as far as nothing has moved on since",
        undo,
        (argument("job", type=int), *HOW),
    ),
    Subcommand("jobs", "list bulk jobs, newest first", jobs),
)
