"""The standalone project's admin site: our name, audited accounts, and rights that only a superuser
gives.

In Django's own pages, who may change accounts or groups can give themselves every right.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest

from dboshub.workflows.admin_base import AuditedAdmin
from dboshub.workflows.selectors.scope import viewer_for

site = admin.site
site.site_header = "DBOSHub administration"
site.site_title = "DBOSHub"
site.index_title = "Configuration"
site.site_url = "/"
site.unregister([Group, User])


class RightsBySuperusersAdmin(AuditedAdmin):
    """The fields `rights` are read-only for all but superusers."""

    rights: tuple[str, ...]

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, *self.rights)


@admin.register(Group)
class AuditedGroupAdmin(RightsBySuperusersAdmin, GroupAdmin):
    """Django's page of groups. Without a group its members may see more: superusers delete."""

    rights = ("permissions",)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        return bool(request.user.is_superuser)


@admin.register(User)
class AuditedUserAdmin(RightsBySuperusersAdmin, UserAdmin):  # type: ignore[type-arg]
    """Django's page of accounts. A new password makes an account one's own: who is no superuser
    changes those that may do and see no more than oneself."""

    rights = ("is_staff", "is_superuser", "groups", "user_permissions")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _is_no_more_than(obj, request.user)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _is_no_more_than(obj, request.user)


def _is_no_more_than(other: User | None, user: Any) -> bool:
    """Whether an account has no right and sees no application that a user does not."""
    if other is None or user.is_superuser or other.pk == user.pk:
        return True
    if other.is_superuser or (other.is_staff and not user.is_staff):
        return False
    # Rights that come back when the account is enabled again count, too.
    enabled = User(pk=other.pk, is_active=True)
    theirs, mine = viewer_for(enabled), viewer_for(user)
    is_narrower = mine.applications is None or (
        theirs.applications is not None
        and theirs.applications <= mine.applications
        and theirs.unclaimed <= mine.unclaimed
    )
    return is_narrower and enabled.get_all_permissions() <= user.get_all_permissions()
