"""`{% saved_views "workflows" query %}`: the views of a list, and the form that saves one."""

from __future__ import annotations

from typing import Any

from django import template

from dboshub.web.saved_views import SHARE, is_open, may_delete, views_for

register = template.Library()


@register.inclusion_tag("dboshub/components/_saved_views.html", takes_context=True)
def saved_views(context: Any, page: str, query: str) -> dict[str, object]:
    request = context["request"]
    user = request.user
    views = [
        {
            "view": view,
            "is_open": is_open(view, query),
            "may_delete": may_delete(user, view),
        }
        for view in views_for(user, page)
    ]
    return {
        "page": page,
        "query": query,
        "views": views,
        "may_manage": any(each["may_delete"] for each in views),
        "may_share": user.has_perm(SHARE),
        "csrf_token": context.get("csrf_token"),
    }
