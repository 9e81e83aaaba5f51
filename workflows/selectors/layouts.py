"""The layout of the list that somebody chose."""

from __future__ import annotations

from typing import Any

from dboshub.workflows.models import ListLayout


def layout_of(user: Any) -> ListLayout:
    """The stored layout of a user, or the default one."""
    return ListLayout.objects.filter(user=user.pk).first() or ListLayout()
