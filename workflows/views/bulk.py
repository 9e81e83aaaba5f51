"""Pages of bulk jobs: one creates the set of workflows, another confirms and shows a job."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dboshub.workflows.actions.audit import ActionRefusedError, actor_of, may_act
from dboshub.workflows.bulk import job_actions
from dboshub.workflows.bulk.retention import DAYS
from dboshub.workflows.bulk.verbs import OFFERED
from dboshub.workflows.clock import now_ms
from dboshub.workflows.connection import reading
from dboshub.workflows.forms.bulk_forms import BulkStartForm
from dboshub.workflows.forms.confirm_form import MAX_TEXT
from dboshub.workflows.live.bulk import job_facts, page_key
from dboshub.workflows.live.source import digest
from dboshub.workflows.live.subscriptions import subscription_for
from dboshub.workflows.models import BulkItem, BulkJob
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.rendering.bulk import show_items, show_job, tabs
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.search.criteria import parse
from dboshub.workflows.selectors import bulk as selector
from dboshub.workflows.selectors.registered_queues import queue_names
from dboshub.workflows.selectors.scope import viewer_for
from dboshub.workflows.selectors.versions import version_names
from dboshub.workflows.views.confirm import INVALID, status_of
from dboshub.workflows.views.workflow_required import query_int

CHECKED = "checked"
NOT_A_FILTER = ("verb", "of", "ids", "again", "after", "before", "csrfmiddlewaretoken")


@require_safe
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def job_list(request: HttpRequest) -> HttpResponse:
    """The list of jobs, newest first."""
    may_see = request.user.has_perm(VIEW_PAYLOAD)
    owner, before = selector.owner_seen_by(request.user), query_int(request, "before")
    page = selector.job_page(owner, before=before)
    context = {
        "section": "workflows",
        "jobs": [show_job(job, payload=may_see) for job in page.jobs],
        "before": page.before,
        "is_first": "before" not in request.GET,
        "live_page": subscription_for(request, "bulk_jobs", page_key(owner, before)),
        "live_digest": digest(job_facts(page.jobs)),
    }
    return render(request, "dboshub/bulk/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    """Show the filter and the actions; a POST creates the job."""
    given = request.POST if request.method == "POST" else request.GET
    verb = given.get("verb", "")
    if verb and verb not in OFFERED:
        raise Http404(f"no bulk action {verb}")
    query = _filter(given)
    if request.method != "POST" or not verb:
        return _ask(request, verb, query)
    ids = given.getlist("ids") if given.get("of") == CHECKED else None
    if ids is not None and not ids:
        refusal = ActionRefusedError("No row is checked.", "Go back and check some.")
        return _ask(request, verb, query, refusal=refusal, status=INVALID)
    try:
        job = job_actions.create_job(
            actor_of(request), verb, query=query, ids=ids, again="again" in given
        )
    except ActionRefusedError as refusal:
        return _ask(request, verb, query, refusal=refusal, status=status_of(refusal))
    return redirect("dboshub:workflows:bulk", job.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def job_detail(request: HttpRequest, job_id: int) -> HttpResponse:
    """One job: its set and its progress. A POST starts, stops, retries or discards it."""
    job = selector.job(request.user, job_id)
    if job is None:
        raise Http404(f"no bulk job {job_id}")
    if request.method != "POST":
        return _show(request, job, _form(request, job))
    form = _form(request, job, request.POST)
    do = request.POST.get("do", "")
    if do == "start" and not form.is_valid():
        return _show(request, job, form, status=INVALID)
    try:
        if do == "undo":
            undoing = job_actions.create_undo(actor_of(request), job.pk)
            return redirect("dboshub:workflows:bulk", undoing.pk)
        message = _control(request, job, do, form)
    except ActionRefusedError as refusal:
        return _show(request, job, form, refusal=refusal, status=status_of(refusal))
    messages.success(request, message)
    if do == "discard":
        return redirect("dboshub:workflows:bulk_list")
    return redirect("dboshub:workflows:bulk", job.pk)


def _control(request: HttpRequest, job: BulkJob, do: str, form: BulkStartForm) -> str:
    """Perform the action of a button; return the message. Raises ActionRefusedError."""
    actor, reason = actor_of(request), request.POST.get("reason", "")[:MAX_TEXT]
    if do == "start":
        job_actions.start_job(
            actor, job.pk, options=form.options(), rate=form.per_second(), reason=reason
        )
        return "Started: a process of DBOSHub works on it."
    if do == "stop":
        job_actions.stop_job(actor, job.pk, reason=reason)
        return "Stopped: no further workflow is acted on."
    if do == "retry":
        job_actions.retry_failed(actor, job.pk, reason=reason)
        return "The failed ones are tried again."
    if do == "discard":
        job_actions.discard_job(actor, job.pk)
        return "Discarded: nothing was done."
    raise Http404(f"no way to {do} a bulk job")


def _form(request: HttpRequest, job: BulkJob, data: QueryDict | None = None) -> BulkStartForm:
    viewer = viewer_for(request.user)
    with reading() as session:
        names = queue_names(session, viewer)
        versions = version_names(session, viewer) if job.verb == "move" else ()
    return BulkStartForm(job, data, queues=names, versions=versions)


def _show(
    request: HttpRequest,
    job: BulkJob,
    form: BulkStartForm,
    *,
    refusal: ActionRefusedError | None = None,
    status: int = 200,
) -> HttpResponse:
    shown = show_job(job, payload=request.user.has_perm(VIEW_PAYLOAD))
    state = request.GET.get("state", "")
    state = state if state in BulkItem.State.values else ""
    at = query_int(request, "before")
    page = selector.item_page(job, viewer_for(request.user), state=state, before=at)
    context = {
        "section": "workflows",
        "shown": shown,
        "form": form,
        "items": show_items(page.items),
        "before": page.before,
        "is_first": at is None,
        "state": state,
        "tabs": tabs(shown, state),
        "refusal": refusal,
        "permitted": may_act(request.user, shown.verb.permission),
        "undo_refusal": job_actions.undo_refusal(job),
        "undone_by": [*job.undone_by.exclude(started_at=None)],
        "days": DAYS,
        "now": now_ms(),
        "live_page": subscription_for(request, "bulk", str(job.pk)),
        "live_digest": digest(job_facts([job])),
    }
    return render(request, "dboshub/bulk/job.html", context, status=status)


def _ask(
    request: HttpRequest,
    verb: str,
    query: str,
    *,
    refusal: ActionRefusedError | None = None,
    status: int = 200,
) -> HttpResponse:
    criteria = parse(QueryDict(query), now=now_ms(), attributes=request.user.has_perm(VIEW_PAYLOAD))
    permitted = [each for each in OFFERED.values() if may_act(request.user, each.permission)]
    context = {
        "section": "workflows",
        "verbs": permitted,
        "chosen": verb or (permitted[0].name if permitted else ""),
        "query": query,
        "criteria": criteria,
        "refusal": refusal,
    }
    return render(request, "dboshub/bulk/new.html", context, status=status)


def _filter(given: QueryDict) -> str:
    """The filter, from the form field `filter` or from the query string of the list."""
    if "filter" in given:
        return str(given["filter"]).replace("\x00", "\N{REPLACEMENT CHARACTER}")
    rest = given.copy()
    for key in NOT_A_FILTER:
        rest.pop(key, None)
    return rest.urlencode()
