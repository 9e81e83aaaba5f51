"""The standalone project's admin site: our name, and an audit row for changes to accounts."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User

from dboshub.workflows.admin_base import AuditedAdmin

site = admin.site
site.site_header = "DBOSHub administration"
site.site_title = "DBOSHub"
site.index_title = "Configuration"
site.site_url = "/"
site.unregister([Group, User])


@admin.register(Group)
class AuditedGroupAdmin(AuditedAdmin, GroupAdmin):
    """Django's page of groups."""


@admin.register(User)
class AuditedUserAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Django's page of accounts."""
