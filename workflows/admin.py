"""Admin pages: workflows, executors, versions and audit log are read-only; scopes are editable."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from dboshub.workflows.admin_base import AuditedAdmin, ReadOnlyAdmin, when
from dboshub.workflows.connection import reading
from dboshub.workflows.models import (
    ApplicationVersion,
    AuditEvent,
    Executor,
    GroupScope,
    ScopeRule,
    Workflow,
)
from dboshub.workflows.permissions import VIEW_AUDIT_EVENT
from dboshub.workflows.selectors.audit_scope import events_in_scope
from dboshub.workflows.selectors.scope import Viewer, viewer_for
from dboshub.workflows.selectors.tables import EXECUTORS, has_table


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    """The stored row. "View on site" leads to the page that explains it."""

    payloads = ("inputs", "output", "error", "request", "attributes")
    list_display = (
        "workflow_uuid",
        "name",
        "status",
        "queue_name",
        "application_name",
        when("created_at", "created"),
    )
    list_filter = ("status",)
    search_fields = ("workflow_uuid__exact",)
    search_help_text = "A whole workflow id"
    ordering = ("-created_at", "-workflow_uuid")

    def view_on_site(self, obj: Workflow) -> str | None:
        """The page, if the project includes our pages."""
        with suppress(NoReverseMatch):
            return reverse("dboshub:workflows:detail", args=[obj.workflow_uuid])
        return None


@admin.register(Executor)
class ExecutorAdmin(ReadOnlyAdmin):
    list_display = (
        "executor_id",
        "application_name",
        "application_version",
        "hostname",
        "pid",
        "busy",
        when("last_beat_at", "last beat"),
        when("stopped_at", "stopped"),
        when("declared_dead_at", "declared dead"),
    )
    payloads = ("functions", "activity")
    ordering = ("-registered_at", "-incarnation")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows if _are_registered() else rows.none()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not _are_registered():
            messages.info(request, "No worker of DBOSHub runs here: there is no table of them.")
        return super().changelist_view(request, extra_context)


@admin.register(ApplicationVersion)
class ApplicationVersionAdmin(ReadOnlyAdmin):
    list_display = (
        "version_name",
        "application_name",
        when("version_timestamp", "latest since"),
        when("created_at", "first launched"),
    )
    ordering = ("-version_timestamp", "-version_id")


@admin.register(ScopeRule)
class ScopeRuleAdmin(AuditedAdmin):
    """Which groups see which applications. Changes are audited."""

    list_display = ("group", "application")
    list_filter = ("group",)
    list_select_related = ("group",)
    ordering = ("group__name", "application")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and _sees_everything(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _sees_everything(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and _sees_everything(request)


@admin.register(GroupScope)
class GroupScopeAdmin(AuditedAdmin):
    """Limited groups: a first scope rule adds one.

    Deleting one lets its members see every application, and is for superusers.
    """

    list_display = ("group",)
    list_select_related = ("group",)
    ordering = ("group__name",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    permission = VIEW_AUDIT_EVENT
    exclude = ("payload",)
    list_display = (
        when("at", "at"),
        "username",
        "action",
        "target_kind",
        "target",
        "outcome",
        "reason",
    )
    list_filter = ("outcome",)
    search_fields = ("target__exact", "username__exact")
    search_help_text = "A whole target or user name"
    ordering = ("-at", "-id")

    def scope(self, viewer: Viewer, request: HttpRequest) -> Q:
        return events_in_scope(viewer, request.user.pk)


def _sees_everything(request: HttpRequest) -> bool:
    """Who is limited to some applications must not widen a limit."""
    return viewer_for(request.user).applications is None


def _are_registered() -> bool:
    """Whether there is a table of executors: a database of other programs has none."""
    with reading() as session:
        return has_table(session, EXECUTORS)
