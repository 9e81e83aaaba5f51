"""Queues in the admin: limits edited, queues paused and deleted, by `dboshub.queues.actions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet, Value
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode

from dboshub.queues import actions
from dboshub.queues.forms.limits import LIMITS, QueueForm
from dboshub.queues.models import Queue, QueuePause
from dboshub.workflows.actions.audit import ActionRefusedError, Actor, actor_of
from dboshub.workflows.admin_base import ActingAdmin, when
from dboshub.workflows.connection import reading
from dboshub.workflows.selectors.tables import QUEUE_PAUSES, has_table

Operation = Callable[[Actor, str], None]


@admin.register(Queue)
class QueueAdmin(ActingAdmin):
    """A refused save or deletion becomes a message on the page, and an audit row."""

    kind = "queue"
    form = QueueForm
    list_display = (
        "name",
        "application_name",
        "concurrency",
        "worker_concurrency",
        "rate_limit",
        "partition_queue",
        "is_paused",
        when("updated_at", "changed"),
    )
    search_fields = ("name__exact",)
    search_help_text = "A whole queue name"
    ordering = ("name",)
    actions = ("pause_selected", "resume_selected")
    fieldsets = (
        (None, {"fields": ("name", "application_name", "polling_interval_sec")}),
        ("Limits; empty means unlimited", {"fields": LIMITS}),
        ("For the record", {"fields": ("reason", "as_of")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        with reading() as session:
            is_pausable = has_table(session, QUEUE_PAUSES)
        pauses = QueuePause.objects.filter(queue_name=OuterRef("name"))
        paused = Exists(pauses) if is_pausable else Value(False)
        queues: QuerySet[Any] = super().get_queryset(request).annotate(paused=paused)
        return queues

    def get_readonly_fields(self, request: HttpRequest, obj: Queue | None = None) -> Any:
        return ("name", "application_name") if obj else ()

    @admin.display(description="starts")
    def rate_limit(self, queue: Queue) -> str | None:
        if queue.rate_limit_max is None:
            return None
        return f"{queue.rate_limit_max} in {queue.rate_limit_period_sec or 0:g} s"

    @admin.display(description="paused", boolean=True)
    def is_paused(self, queue: Queue) -> bool:
        return bool(queue.paused)  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: Queue, form: Any, change: bool) -> None:
        reason = form.cleaned_data["reason"]

        def save(actor: Actor, name: str) -> None:
            if change:
                as_of = form.cleaned_data["as_of"]
                actions.change_queue(actor, form.settings(), as_of=as_of, reason=reason)
            else:
                actions.add_queue(actor, form.settings(), reason=reason)
                obj.queue_id = Queue.objects.get(name=name).queue_id

        _perform(request, save, form.settings().name)

    def delete_model(self, request: HttpRequest, obj: Queue) -> None:
        _perform(request, actions.delete_queue, obj.name)

    def response_add(self, request: HttpRequest, obj: Queue, *args: Any, **kw: Any) -> HttpResponse:
        return _refused(request) or super().response_add(request, obj, *args, **kw)

    def response_change(self, request: HttpRequest, obj: Queue) -> HttpResponse:
        return _refused(request) or super().response_change(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        return _refused(request) or super().response_delete(request, obj_display, obj_id)

    def get_actions(self, request: HttpRequest) -> Any:
        """Remove the admin's own bulk deletion, which would write no audit rows."""
        offered = super().get_actions(request)
        offered.pop("delete_selected", None)
        return offered

    @admin.action(description="Pause", permissions=["change"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        _perform_each(request, actions.pause_queue, queryset, "Paused")

    @admin.action(description="Resume", permissions=["change"])
    def resume_selected(self, request: HttpRequest, queryset: QuerySet[Queue]) -> None:
        _perform_each(request, actions.resume_queue, queryset, "Resumed")

    def log_addition(self, *args: Any) -> Any:
        """Write nothing: the audit log records actions, refused ones included."""

    def log_change(self, *args: Any) -> Any:
        """Write nothing, as above."""

    def log_deletions(self, *args: Any) -> Any:
        """Write nothing, as above."""

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """Show the audit log of this queue."""
        queue = self.get_object(request, object_id)
        query = urlencode({"q": queue.name if queue else ""})
        events = "admin:dboshub_workflows_auditevent_changelist"
        address = reverse(events, current_app=self.admin_site.name)
        return HttpResponseRedirect(f"{address}?{query}")


def _perform(request: HttpRequest, operation: Operation, name: str) -> bool:
    """Perform the action. A refusal is kept for the response: raising would undo its audit row."""
    try:
        operation(actor_of(request), name)
    except ActionRefusedError as refusal:
        messages.error(request, str(refusal))
        request.refused = True  # type: ignore[attr-defined]
        return False
    return True


def _refused(request: HttpRequest) -> HttpResponse | None:
    return HttpResponseRedirect(request.get_full_path()) if hasattr(request, "refused") else None


def _perform_each(
    request: HttpRequest, operation: Operation, queues: QuerySet[Queue], done: str
) -> None:
    names = [queue.name for queue in queues if _perform(request, operation, queue.name)]
    if names:
        messages.success(request, f"{done}: {', '.join(names)}")
