"""Entering a password, with a limit on guessing per name and per address.

Attempts are counted in the database, so that several web processes share the count.
"""

from __future__ import annotations

from datetime import timedelta
from threading import Lock
from typing import Any

from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.crypto import salted_hmac

from dboshub.models import LoginAttempt
from dboshub.web.client_address import network_of
from dboshub.workflows.django_settings import (
    login_attempts,
    login_attempts_per_address,
    login_window_s,
)

# Hashing a password keeps a core busy for half a second: guesses take no more than one.
HASHING = Lock()


class ThrottledLoginForm(AuthenticationForm):
    """The usual form, which stops asking the password hasher after too many tries."""

    # How many attempts are over a limit.
    excess = 0

    def clean(self) -> dict[str, Any]:
        by_name, by_address = self._keys()
        # Recorded before the password is looked at, so that parallel guesses count too.
        attempts = record([by_name, by_address])
        self.excess = max(
            recent(by_name) - login_attempts(), recent(by_address) - login_attempts_per_address()
        )
        if self.excess > 0:
            raise too_many()
        with HASHING:
            cleaned = super().clean()
        # A success takes back itself alone from the count of its address: whoever has an account
        # would otherwise clear the guesses made at others.
        LoginAttempt.objects.filter(pk__in=[attempt.pk for attempt in attempts]).delete()
        LoginAttempt.objects.filter(key=by_name).delete()
        return cleaned

    def is_throttled(self) -> bool:
        return self.has_error("__all__", code="throttled")

    def _keys(self) -> tuple[str, str]:
        """Name and address together, so that nobody can lock another person out; the address for
        those who try many names."""
        given = self.request.META.get("REMOTE_ADDR", "") if self.request else ""
        address = network_of(given)
        name = str(self.cleaned_data.get("username", "")).casefold()
        return digest(f"name {name} from {address}"), digest(f"address {address}")


class ThrottledPasswordForm(PasswordChangeForm):
    """The usual form, which does not let a stolen session guess the password."""

    def clean_old_password(self) -> str:
        key = digest(f"password of {self.user.pk}")
        record([key])
        if recent(key) > login_attempts():
            raise too_many()
        with HASHING:
            old: str = super().clean_old_password()
        LoginAttempt.objects.filter(key=key).delete()
        return old

    def is_throttled(self) -> bool:
        return self.has_error("old_password", code="throttled")


def too_many() -> ValidationError:
    return ValidationError(
        "Too many attempts. Wait %(minutes)d minutes and try again.",
        code="throttled",
        params={"minutes": login_window_s() // 60},
    )


def digest(value: str) -> str:
    return salted_hmac("dboshub.web.login_throttle", value, algorithm="sha256").hexdigest()


def record(keys: list[str]) -> list[LoginAttempt]:
    now = timezone.now()
    LoginAttempt.objects.filter(at__lt=now - 4 * _window()).delete()
    return LoginAttempt.objects.bulk_create(LoginAttempt(key=key, at=now) for key in keys)


def recent(key: str) -> int:
    return LoginAttempt.objects.filter(key=key, at__gt=timezone.now() - _window()).count()


def _window() -> timedelta:
    return timedelta(seconds=login_window_s())
