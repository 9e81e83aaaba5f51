"""Saved views: filters with a name, one's own and those shared with everybody."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.db import transaction
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from dboshub.models import SavedView
from dboshub.workflows.actions.audit import actor_of, record
from dboshub.workflows.live.subscriptions import canonical
from dboshub.workflows.permissions import VIEW_PAYLOAD, VIEW_WORKFLOW
from dboshub.workflows.search.attributes import PREFIX
from dboshub.workflows.search.criteria import parse

SHARE = "dboshub.share_view"
PAGES = {"workflows": "dboshub:workflows:list"}
# As many as one can find again.
MOST = 50
LONGEST_QUERY = 8_000


class SaveForm(forms.Form):
    """The name and the query of a view."""

    page = forms.ChoiceField(
        choices=[(page, page) for page in PAGES], error_messages={"invalid_choice": "No such page."}
    )
    name = forms.CharField(max_length=60, error_messages={"required": "A view needs a name."})
    query = forms.CharField(max_length=LONGEST_QUERY, required=False, strip=False)
    is_shared = forms.BooleanField(required=False)

    def clean_query(self) -> str:
        # Where a page begins is no part of what it shows.
        criteria = parse(QueryDict(self.cleaned_data["query"]), now=0, attributes=True)
        if criteria.problems:
            raise forms.ValidationError(" ".join(criteria.problems))
        return criteria.query()


def views_for(user: Any, page: str) -> list[SavedView]:
    """One's own views and the shared ones, by name; without the right to see payloads, only those
    that name no attribute."""
    mine = Q(owner=user.pk) | Q(is_shared=True)
    views = SavedView.objects.filter(mine, page=page).order_by("name", "pk")
    return [view for view in views if _may_read(user, view)]


def _may_read(user: Any, view: SavedView) -> bool:
    keys = [key for key, _ in parse_qsl(view.query, keep_blank_values=True)]
    return user.has_perm(VIEW_PAYLOAD) or not any(key.startswith(PREFIX) for key in keys)


def may_delete(user: Any, view: SavedView) -> bool:
    return view.owner_id == user.pk or (view.is_shared and user.has_perm(SHARE))


def is_open(view: SavedView, query: str) -> bool:
    """Whether a page with this query string shows the view."""
    return canonical(view.query) == canonical(query)


@require_POST
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def save(request: HttpRequest) -> HttpResponse:
    """Keep a filter under a name; one's own view of that name is replaced."""
    form = SaveForm(request.POST)
    if not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(map(str, errors)))
        return redirect("dboshub:workflows:list")
    given = form.cleaned_data
    mine = SavedView.objects.filter(owner=request.user.pk, page=given["page"])
    if mine.exclude(name=given["name"]).count() >= MOST:
        messages.error(request, f"You have {MOST} saved views; delete one first.")
    else:
        shared = given["is_shared"] and request.user.has_perm(SHARE)
        with transaction.atomic():
            mine.update_or_create(
                owner_id=request.user.pk,
                page=given["page"],
                name=given["name"],
                defaults={"query": given["query"], "is_shared": shared},
            )
            record(actor_of(request), "save", "view", given["name"], shared=shared)
        messages.success(request, f"Saved the view {given['name']}.")
    return _list(given["page"], given["query"])


@require_POST
@permission_required(VIEW_WORKFLOW, raise_exception=True)
def delete(request: HttpRequest, view_id: int) -> HttpResponse:
    """Forget a view: one's own, or a shared one if one may share."""
    view = SavedView.objects.filter(pk=view_id).first()
    if view is None or not may_delete(request.user, view):
        raise Http404(f"no saved view {view_id}")
    with transaction.atomic():
        view.delete()
        record(actor_of(request), "delete", "view", view.name, shared=view.is_shared)
    messages.success(request, f"Deleted the view {view.name}.")
    return _list(view.page, view.query if _may_read(request.user, view) else "")


def _list(page: str, query: str) -> HttpResponse:
    return redirect(f"{reverse(PAGES[page])}?{query}".rstrip("?"))
