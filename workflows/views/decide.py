"""Decisions about an incident, on the page of the incident."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from dboshub.workflows.actions.audit import ActionRefusedError, actor_of
from dboshub.workflows.actions.incident_actions import Subject
from dboshub.workflows.forms.decision_form import DecisionForm
from dboshub.workflows.permissions import DECIDE_INCIDENT
from dboshub.workflows.selectors.decisions import Decision


def decision_context(request: HttpRequest, subject: Subject, known: Decision) -> dict[str, Any]:
    """What the part of a page with the decisions shows."""
    may_decide = request.user.has_perm(DECIDE_INCIDENT)
    form = DecisionForm(subject, assignee=known.assignee) if may_decide else None
    return {"decision": known, "decision_form": form, "may_decide": may_decide}


def decide(request: HttpRequest, subject: Subject) -> HttpResponse:
    """Perform a posted decision and go back to the page. Raises ActionRefusedError."""
    form = DecisionForm(subject, request.POST)
    if not form.is_valid():
        said = " ".join(str(each) for errors in form.errors.values() for each in errors)
        raise ActionRefusedError(said, "Go back and choose again.")
    messages.success(request, form.perform(actor_of(request)))
    return redirect(request.get_full_path())
