"""The page on which somebody chooses how pages are written for them: in which time zone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dboshub.models import Preference
from dboshub.web.return_address import return_address
from dboshub.web.time_zones import chosen_zone
from dboshub.workflows.actions.audit import actor_of, record
from dboshub.workflows.rendering.page_templates import render
from dboshub.workflows.rendering.time_zone import (
    project_zone,
    shown_to,
    zone_name,
    zone_names,
)


class PreferencesForm(forms.Form):
    """The time zone; an empty one is the project's."""

    time_zone = forms.ChoiceField(
        label="Time zone",
        required=False,
        error_messages={"invalid_choice": "There is no time zone of this name."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        default = f"{zone_name(project_zone())} (the project's)"
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            ("", default),
            *((name, name) for name in zone_names()),
        ]


@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """Choose a time zone. A post leads back to where it came from."""
    if request.method != "POST":
        form = PreferencesForm(initial={"time_zone": chosen_zone(request.user)})
        return _page(request, form)
    form = PreferencesForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    chosen = form.cleaned_data["time_zone"]
    with transaction.atomic():
        mine: Any = request.user.pk
        Preference.objects.update_or_create(user_id=mine, defaults={"time_zone": chosen})
        record(actor_of(request), "save", "preference", "time zone", zone=chosen)
    with shown_to(request.user):
        messages.success(request, f"Times are written in {zone_name()}.")
    return redirect(return_address(request))


def _page(request: HttpRequest, form: PreferencesForm, status: int = 200) -> HttpResponse:
    context = {"section": "preferences", "form": form}
    return render(request, "dboshub/preferences.html", context, status=status)
