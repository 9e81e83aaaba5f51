"""Which audit events a person sees."""

from __future__ import annotations

from django.db.models import Q

from dboshub.workflows.selectors.scope import Viewer


def events_in_scope(viewer: Viewer, user_id: object) -> Q:
    """The events of the viewer's applications, and the user's own.

    What is not of an application (logins, exports, accounts) is another's business.
    """
    if viewer.applications is None:
        return Q()
    names = [*viewer.applications, *([""] if viewer.unclaimed else [])]
    return Q(application_name__in=names) | Q(user=user_id)
