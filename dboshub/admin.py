"""Accounts and groups in the admin: whoever changes what others may leaves an audit row."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from dboshub.workflows.admin_base import AuditedAdmin

admin.site.unregister([Group, User])


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """Django's page of groups."""


@admin.register(User)
class AuditedUserAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Django's page of accounts."""
