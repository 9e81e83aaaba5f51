"""Audit rows of accounts: logins, refused logins, logouts.

A refused login is recorded under the name of the account that was tried. What is the name of none
may be a password typed into the wrong field, and is not kept. After the throttle's limit an address
adds one more row and then none, so that nobody can fill the table.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from dboshub.workflows.actions.audit import Actor, actor_of, record, record_refusal

KIND = "user"
UNKNOWN = "a name of no account"


def record_login(request: HttpRequest, user: Any) -> None:
    record(Actor(user, actor_of(request).address), "login", KIND, user.get_username())


def record_logout(request: HttpRequest) -> None:
    if request.user.is_authenticated:
        record(actor_of(request), "logout", KIND, request.user.get_username())


def record_refused_login(request: HttpRequest, name: str, why: str) -> None:
    users = get_user_model()
    known = users._default_manager.filter(**{users.USERNAME_FIELD: name}).exists()
    nobody = Actor(AnonymousUser(), actor_of(request).address)
    record_refusal(nobody, "login", KIND, name if known else UNKNOWN, why)
