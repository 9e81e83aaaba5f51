"""Base classes of the admin pages: read-only lists of bounded cost, and audited editing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.exceptions import BadRequest, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from dboshub.workflows.actions.audit import (
    ReadOnlyError,
    actor_of,
    record,
    refuse_if_read_only,
)
from dboshub.workflows.django_settings import is_read_only
from dboshub.workflows.permissions import VIEW_WORKFLOW
from dboshub.workflows.rendering.time_format import absolute
from dboshub.workflows.rendering.time_zone import shown_to
from dboshub.workflows.selectors.scope import Viewer, viewer_for

MAX_ROWS = 1_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages through at most MAX_ROWS rows: the table may hold millions."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[:MAX_ROWS].count())


class AuditedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Writes an audit row in the transaction of each change, with the names of the changed fields
    and no values."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, "add", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, "change", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for each in queryset:
            self._record(request, "delete", each)
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, action: str, obj: Model, message: Any = ()) -> None:
        kind = str(obj._meta.verbose_name)
        record(actor_of(request), action, kind, str(obj), changes=message)


class BoundedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list whose cost does not grow with its table: no total count, no sorting by column."""

    paginator = CappedPaginator
    show_full_result_count = False
    sortable_by = ()
    list_per_page = 50
    list_max_show_all = MAX_ROWS

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        # PostgreSQL rejects a parameter that holds a NUL.
        if any("\x00" in value for values in request.GET.lists() for value in values[1]):
            raise BadRequest("a filter holds a NUL, and no row does")
        response = super().changelist_view(request, extra_context)
        # A template is otherwise rendered later, where nobody knows for whom.
        with shown_to(request.user):
            return response.render() if isinstance(response, TemplateResponse) else response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of the applications that the user may see."""
        return super().get_queryset(request).filter(self.scope(viewer_for(request.user), request))

    def scope(self, viewer: Viewer, request: HttpRequest) -> Q:
        named = {field.name for field in self.model._meta.concrete_fields}
        if viewer.applications is None or "application_name" not in named:
            return Q()
        unclaimed = Q(application_name__isnull=True) if viewer.unclaimed else Q(pk__in=())
        return Q(application_name__in=viewer.applications) | unclaimed

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        return None if "\x00" in object_id else super().get_object(request, object_id, from_field)


class ReadOnlyAdmin(BoundedAdmin):
    """A table that only the engine writes. The columns `payloads` are never read."""

    permission = VIEW_WORKFLOW
    payloads: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.payloads)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        names = [field.name for field in self.model._meta.concrete_fields]
        return [name for name in names if name not in self.payloads]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(self.permission)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ActingAdmin(BoundedAdmin):
    """A table that actions write. Where pages only show, it offers none, and a post is refused."""

    kind: str

    def has_add_permission(self, request: HttpRequest) -> bool:
        return not is_read_only() and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_read_only() and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return not is_read_only() and super().has_delete_permission(request, obj)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        self._refuse_posts(request, request.POST.get("action", "change"), "")
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        self._refuse_posts(request, "change" if object_id else "add", object_id or "")
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        self._refuse_posts(request, "delete", object_id)
        return super().delete_view(request, object_id, extra_context)

    def _refuse_posts(self, request: HttpRequest, action: str, target: str) -> None:
        if request.method != "POST":
            return
        try:
            refuse_if_read_only(actor_of(request), action[:40], self.kind, target)
        except ReadOnlyError as refusal:
            raise PermissionDenied(str(refusal)) from refusal


def when(field: str, title: str) -> Callable[[Any], str]:
    """A column that shows a field of epoch milliseconds as a time."""

    @admin.display(description=title)
    def shown(row: Model) -> str:
        value = getattr(row, field)
        return "-" if value is None else absolute(value)

    return shown
